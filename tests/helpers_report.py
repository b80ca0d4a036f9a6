"""Reading what a trial's rendering wrote."""

from typing import Any

from markdown_it import MarkdownIt

from updaters.trial_gate.report import render
from updaters.trial_gate.trial import Trial

REPORT = "DAY_10_12_TRIAL_GATE_REPORT.md"
PAGE = "DAY_10_12_TRIAL_GATE_REPORT.html"
METRICS = "trial_gate_metrics.json"
CHECKLIST = "PRODUCTION_ROLLOUT_CHECKLIST.md"
NOTES = "trial_gate_notes.md"
SECTIONS = [
    "1. Executive Summary",
    "2. Deployment Timeline",
    "3. Performance Results",
    "4. Reliability Results",
    "5. Test Results",
    "6. Issues Identified",
    "7. Recommendation",
]


def read(trial: Trial, name: str = REPORT) -> str:
    return (trial.out / name).read_text(encoding="utf-8")


def rendered(trial: Trial, name: str = REPORT, **options: Any) -> str:
    render(trial, **options)
    return read(trial, name)


def parsed(text: str) -> list[Any]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def headings(text: str, tag: str = "h2") -> list[str]:
    tokens = parsed(text)
    return [
        tokens[at + 1].content
        for at, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == tag
    ]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables, as a Markdown program shows them."""
    found: list[list[str]] = []
    for token in parsed(text):
        if token.type == "tr_open":
            found.append([])
        elif token.type == "inline" and found and token.level >= 4:
            found[-1].append("".join(child.content for child in token.children or ()))
    return found


def row(text: str, first: str) -> list[str]:
    return next(cells for cells in rows(text) if cells and cells[0] == first)
