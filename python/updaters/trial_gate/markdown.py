"""Text in Markdown: what was measured or said must not act as markup, nor break a table."""

import re
from typing import Any

from updaters.logs import printable
from updaters.trial_gate.tables import Table

#: What begins markup wherever it stands; underscores do between words only, "<" before a name.
_MARKUP = re.compile(r"[\\`*\[\]|~$]|<(?=[A-Za-z/!?])|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
#: And at a line's beginning: headings, quotes, lists, rules.
_BLOCK = re.compile(r"^(\s*\d*)(#|>|[-+=](?=\s|$|[-=])|(?<=\d)[.)](?=\s|$))")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
#: What a browser would take for a tag or a comment.
_TAG = re.compile(r"<(?=[A-Za-z/!?])(?!https?://[^\s<>]*>)")


class Ready(str):
    """Markdown as it is to stand there."""


def finished(value: Any) -> str:
    """What a template puts in: escaped, unless it is `Ready`."""
    return value if isinstance(value, Ready) else escaped("" if value is None else str(value))


def escaped(text: str) -> str:
    """Any text as one line that shows as it is, also where a line begins."""
    return _BLOCK.sub(r"\1\\\2", _inline(text).strip())


def _inline(text: str) -> str:
    return _MARKUP.sub(lambda found: "\\" + found[0], printable(text))


def code(text: Any) -> Ready:
    """Any text as a code span."""
    line = printable(str(text))
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return Ready(f"{fence}{space}{line}{space}{fence}")


def table(shown: Table) -> Ready:
    """A table, with its outcomes in bold."""
    rule = ("---:" if at in shown.numeric else "---" for at in range(len(shown.columns)))
    lines = [_row(map(_inline, shown.columns)), _row(rule)]
    for row in shown.rows:
        cells = (
            f"**{_inline(cell)}**" if at == shown.badge else _inline(cell)
            for at, cell in enumerate(row)
        )
        lines.append(_row(cells))
    return Ready("\n".join(lines))


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def quoted(text: str) -> Ready:
    """A person's Markdown as a block quote: whatever it opens ends with it. Tags are shown."""
    lines, fence = [], ""
    for line in (printable(line, keep="\t") for line in text.splitlines()):
        shown, mark = line, _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
        elif mark and not (mark[1][0] == "`" and "`" in mark[2]):
            fence = mark[1]
        else:
            shown = _without_tags(line)
        lines.append(f"> {shown}".rstrip())
    return Ready("\n".join(lines))


def _without_tags(line: str) -> str:
    """Outside of code spans, which show tags anyway."""
    parts = re.split(r"(`+)", line)
    shown, at = [], 0
    while at < len(parts):
        if at % 2 and parts[at] in parts[at + 2 :: 2]:
            end = parts.index(parts[at], at + 2)
            shown += parts[at : end + 1]
            at = end + 1
        else:
            shown.append(parts[at] if at % 2 else _TAG.sub(r"\\<", parts[at]))
            at += 1
    return "".join(shown)


def as_html(text: str) -> str:
    """A person's Markdown for the page: tags are shown, images are not loaded, links are safe."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False})
    reader.enable(["table", "strikethrough"]).disable("image")
    tokens = reader.parse(printable(text, keep="\n\t"))
    for token in tokens:
        if token.type.startswith("heading_"):
            # Below the page's own headings.
            token.tag = f"h{min(6, int(token.tag[1]) + 3)}"
    return str(reader.renderer.render(tokens, reader.options, {}))
