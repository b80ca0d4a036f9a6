"""Rendering a trial: the report, its page, its figures, and on proceed the rollout checklist."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from updaters.errors import UpdaterError
from updaters.trial_gate import markdown
from updaters.trial_gate.findings import HOURS, METRICS, NOTES_TEXT, gather
from updaters.trial_gate.speed import DEFAULT_SIZE
from updaters.trial_gate.tables import best_size
from updaters.trial_gate.trial import CHECKLIST, NOTES, REPORT, Trial, write_text

MARKDOWN, PAGE = f"{REPORT}.md", f"{REPORT}.html"
#: In the trial's folder: file -> digests of what we wrote there.
RENDERED = "rendered.json"
#: What becomes of a rollout checklist that no longer holds.
WITHDRAWN = CHECKLIST.replace(".md", "_WITHDRAWN.md")
#: Outcome -> how the page shows it.
BADGES: Mapping[str, str] = {
    "PASS": "pass",
    "FAIL": "fail",
    "NOT MEASURED": "open",
    "NOT COMPLETE": "open",
}


def render(trial: Trial, hours: float = HOURS, *, again: bool = False) -> dict[str, Any]:
    """Write the report from what was measured so far: `written` (names of files in `trial.out`),
    `criteria` and `recommendation` (`updaters.trial_gate.criteria`).

    Raises `UpdaterError`, with nothing written, where a person edited what an earlier rendering
    wrote, or a file by that name is not this trial's; `again` overwrites both.
    """
    found = gather(trial, hours, rendering=True)
    proceed = found["recommendation"]["verdict"] == "proceed"
    names = (MARKDOWN, PAGE, METRICS, *((CHECKLIST,) if proceed else ()))
    known = _Known(trial)
    if not again:
        for name in names:
            _must_be_ours(trial, known, name)
    if not proceed and known.state(CHECKLIST) in ("ours", "edited"):
        # Somebody may have begun to go by it; an earlier one's ticks are in it.
        os.replace(trial.out / CHECKLIST, trial.out / WITHDRAWN)
    if not proceed and (trial.out / WITHDRAWN).exists():
        found["issues"].append(
            f"An earlier rollout checklist no longer holds: it is {WITHDRAWN} now."
        )
    texts = _texts(found, proceed)
    known.expect(texts)
    for name, text in texts.items():
        trial.deliver(name, _as_ticked(trial, text) if name == CHECKLIST else text)
    known.settle(texts)
    if not (trial.out / NOTES).exists():
        trial.deliver(NOTES, NOTES_TEXT)
    return {
        "written": list(texts),
        "criteria": found["criteria"],
        "recommendation": found["recommendation"],
    }


def _as_ticked(trial: Trial, text: str) -> str:
    """A checklist with the boxes ticked that a person has ticked before."""
    ticked = set()
    for path in (trial.out / CHECKLIST, trial.out / WITHDRAWN):
        old = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        ticked |= {_unticked(line) for line in old.splitlines() if line != _unticked(line)}
    lines = (
        line.replace("[ ]", "[x]", 1) if line in ticked else line
        for line in text.splitlines(keepends=False)
    )
    return "\n".join(lines) + "\n"


def _unticked(text: str) -> str:
    return text.replace("[x]", "[ ]").replace("[X]", "[ ]")


def _must_be_ours(trial: Trial, known: "_Known", name: str) -> None:
    state, path = known.state(name), trial.out / name
    if state == "edited":
        what = "keep your copy under another name"
        if name in (MARKDOWN, PAGE):
            what = f"move your remarks to {NOTES}"
        raise UpdaterError(f"{path} was edited by hand: {what}; --again overwrites")
    if state == "foreign":
        raise UpdaterError(
            f"{path} is there and not this trial's: move it away, "
            "use another --out, or overwrite it with --again"
        )


class _Known:
    """What earlier renderings wrote, by digest."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._path = trial.home / RENDERED
        self._digests: dict[str, list[str]] = {}
        # Without it, or with one that is damaged, what lies there counts as another's.
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(self._path.read_text(encoding="utf-8"))
            self._digests = {str(name): list(digests) for name, digests in told.items()}

    def state(self, name: str) -> str:
        """`missing`, `ours`, `edited` (since we wrote it), or `foreign`."""
        path = self._trial.out / name
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return "missing"
        except OSError as exc:
            raise UpdaterError(f"{path} cannot be read: {exc.strerror}") from None
        if name not in self._digests:
            return "foreign"
        if name == CHECKLIST:
            # To tick it is what it is for.
            data = _unticked(data.decode(errors="replace")).encode()
        return "ours" if _digest(data) in self._digests[name] else "edited"

    def expect(self, texts: Mapping[str, str]) -> None:
        """Before writing: an interrupted rendering leaves old and new files, all of them ours."""
        for name, text in texts.items():
            self._digests.setdefault(name, []).append(_digest(text.encode()))
        self._save()

    def settle(self, texts: Mapping[str, str]) -> None:
        """Once all is written."""
        self._digests.update({name: [_digest(text.encode())] for name, text in texts.items()})
        self._save()

    def _save(self) -> None:
        write_text(self._path, json.dumps(self._digests, indent=2) + "\n")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _texts(found: Mapping[str, Any], proceed: bool) -> dict[str, str]:
    """File -> its text."""
    from updaters.trial_gate.figures import as_json
    from updaters.trial_gate.plots import plots
    from updaters.trial_gate.view import build

    view = {
        **build(found),
        "hours": f"{found['hours']:.0f}",
        "notes_file": NOTES,
        "report_file": MARKDOWN,
    }
    texts = {
        MARKDOWN: _markdown("report.md.j2", view),
        PAGE: _page({**view, "plots": plots(found["results"])}),
        METRICS: as_json(found),
    }
    if proceed:
        texts[CHECKLIST] = _markdown("checklist.md.j2", {**view, **_rollout(found)})
    return texts


def _rollout(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the checklist's commands need."""
    sweep, about = found["results"].get("sweep"), found["about"]
    clear = bool(sweep and sweep["best_is_clear"])
    told = best_size(sweep) if sweep else f"No sizes were compared: {DEFAULT_SIZE}, the default."
    return {
        "size": sweep["best"] if sweep and clear else DEFAULT_SIZE,
        "size_told": told,
        "tried": about["database"],
        "version": found["machine"]["updater"],
        "flags": f"--congress {int(about['congress'])} "
        f"--lookback-days {int(about['lookback_days'])}",
    }


def _markdown(template: str, view: Mapping[str, Any]) -> str:
    environment = _environment(finalize=markdown.finished)
    environment.globals.update(
        table=markdown.table, code=markdown.code, quoted=markdown.quoted, ready=markdown.Ready
    )
    text: str = environment.get_template(template).render(view)
    return text


def _page(view: Mapping[str, Any]) -> str:
    from markupsafe import Markup

    environment = _environment(autoescape=True)
    environment.globals["BADGES"] = BADGES
    environment.filters["notes"] = lambda text: Markup(markdown.as_html(text))
    text: str = environment.get_template("report.html.j2").render(view)
    return text


def _environment(**options: Any) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent.parent / "templates" / "trial_gate"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
