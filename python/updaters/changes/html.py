"""The report as one HTML page that needs nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from updaters.changes.lines import lines_of, subcommittees, web
from updaters.changes.times import told_slot, zone_name
from updaters.changes.view import shortened, view
from updaters.logs import printable

#: Ours, also where a checkout's `updaters/` comes first and has some of its own.
TEMPLATES = Path(__file__).parent.parent / "templates"
#: So many hearings are shown unless all are asked for.
MOST = 200
#: So many characters of a title, likewise.
TITLE = 400


def to_html(report: Mapping[str, Any], *, everything: bool = False) -> str:
    """The page; whatever the titles have in them is text there."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Control characters are no text, escaped or not.
    environment.filters["clean"] = lambda text: printable(" ".join(str(text or "").split()))
    environment.filters["web"] = web
    template = environment.get_template("changes.html")
    return template.render(
        view=view(report, None if everything else MOST),
        zone="UTC" if zone_name() == "UTC" else "Washington time",
        lines_of=lines_of,
        title_of=lambda hearing: shortened(hearing["title"], None if everything else TITLE),
        subcommittees=subcommittees,
        told_slot=told_slot,
    )
