"""The block in a checkout's `updaters/__init__.py`: put in after what has to come first, taken out
again so that every other byte stays."""

import ast
import hashlib
import re
from collections.abc import Iterable

from updaters._adopted import MARK, PACKAGE
from updaters.errors import UpdaterError

_END = "# <<< hearing-updater <<<"
_BOM = b"\xef\xbb\xbf"
#: A line's, also the first one's of a file that begins with a byte order mark.
_START = rb"(?:^|(?<=\A\xef\xbb\xbf))"
_SELF = ((1, None), (0, PACKAGE))
_MADE = "# This file was made for it, and goes with it.\n"
#: Formatted as ruff and black would, so that they leave it alone.
_BODY = """\
# `updaters.daily_updater` is the one of the installed package hearing-updater; everything else in
# this folder stays the checkout's. To take it out again: hearing-updater adopt --undo PATH
{made}def _hearing_updater(path):
    import os
    import sys

    for entry in sys.path:
        folder = os.path.join(os.path.abspath(entry), "updaters")
        if os.path.isfile(os.path.join(folder, "_adopted.py")):
            path.append(folder)
            from updaters import _adopted

            return _adopted.join(path{bound})

    class Missing:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "updaters.daily_updater":
                raise ModuleNotFoundError(
                    "updaters.daily_updater is the one of hearing-updater, which "
                    + sys.executable
                    + " lacks: install it there, or run hearing-updater adopt --undo",
                    name=name,
                )

    sys.meta_path.append(Missing)


_hearing_updater(__path__)
del _hearing_updater
"""


def block(bound: Iterable[str] = (), *, made: bool = False) -> str:
    """The lines, each ended by a line feed; their sum is in the first, so that edits are seen."""
    names = "".join(f', "{name}"' for name in sorted(bound))
    body = _BODY.format(made=_MADE if made else "", bound=f", ({names[2:]},)" if names else "")
    return f"{MARK}{_sum(body)} >>>\n{body}{_END}\n"


def _sum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:12]


def insert(source: bytes, text: str, file: str) -> bytes:
    """`source` with the block after its docstring and `from __future__`; raises `UpdaterError`."""
    at = _place(source, file)
    newline = newline_of(source)
    added = text.replace("\n", newline.decode()).encode()
    if at and source[at - 1 : at] != b"\n" and source[:at] != _BOM:
        # The last line has no end: nor has the block.
        added = newline + added[: -len(newline)]
    return source[:at] + added + source[at:]


def remove(source: bytes, file: str) -> bytes | None:
    """`source` without the block; None where there is none. One that was edited is an error."""
    found = _found(source)
    if found is None:
        if _has_mark(source):
            raise UpdaterError(
                f"{file}: the lines from {MARK.strip()} to {_END} were edited: take them out by "
                "hand, then run this again"
            )
        return None
    start, end = found.span()
    if end < len(source):
        end += 2 if source[end : end + 2] == b"\r\n" else 1
    elif start:
        # Put behind a last line without an end.
        start -= 2 if source[start - 2 : start] == b"\r\n" else 1
    return source[:start] + source[end:]


def text_of(source: bytes) -> str | None:
    """The block that is in there, as `block` gives it; None where there is none as it was put."""
    found = _found(source)
    return None if found is None else f"{_plain(found[0])}\n"


def made_for_it(source: bytes) -> bool:
    """Whether the file was made for the block."""
    return _MADE in (text_of(source) or "")


def newline_of(source: bytes) -> bytes:
    """The line end of the first line; a line feed where there is none."""
    return b"\r\n" if source.partition(b"\n")[0].endswith(b"\r") else b"\n"


def bound_names(source: bytes) -> set[str]:
    """What the module's own statements give a name to: imports, assignments, definitions."""
    names: set[str] = set()

    def look(nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.ImportFrom) and (node.level, node.module) in _SELF:
                # `from . import metrics` is the module itself.
                names.update(one.asname for one in node.names if one.asname)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names.update(one.asname or one.name.partition(".")[0] for one in node.names)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            else:
                look(ast.iter_child_nodes(node))

    look(ast.parse(source).body)
    return names


def _has_mark(source: bytes) -> bool:
    return (
        re.search(rb"%s(?:%s|%s)" % (_START, MARK.encode(), _END.encode()), source, re.M)
        is not None
    )


def _found(source: bytes) -> re.Match[bytes] | None:
    """The block from its first line to the end of its last, if it is as it was put in."""
    pattern = rb"%s%s(\w+) >>>\r?\n(.*?)^%s(?=[\r\n]|\Z)"
    lines = re.compile(pattern % (_START, MARK.encode(), _END.encode()), re.M | re.S)
    for found in lines.finditer(source):
        if _sum(_plain(found[2])) == found[1].decode():
            return found
    return None


def _plain(lines: bytes) -> str:
    return lines.decode("latin-1").replace("\r\n", "\n")


def _place(source: bytes, file: str) -> int:
    """Where the block goes, in bytes."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError) as exc:
        raise UpdaterError(f"{file} cannot be read as Python: {exc}") from None
    if b"\r" in source.replace(b"\r\n", b""):
        raise UpdaterError(f"{file} has line ends of one carriage return: give it others first")
    first = list(statements)
    last = None
    if ast.get_docstring(ast.Module(statements, []), clean=False) is not None:
        last = first.pop(0)
    while first and isinstance(first[0], ast.ImportFrom) and first[0].module == "__future__":
        last = first.pop(0)
    lines = source.splitlines(keepends=True)
    if last is None:
        # After `#!` and the encoding, which count in the first two lines.
        bare = [line.removeprefix(_BOM).strip() for line in lines[:2]]
        count = max((n for n, line in enumerate(bare, 1) if line.startswith(b"#")), default=0)
        if count == 0 and source.startswith(_BOM):
            return len(_BOM)
    else:
        count = last.end_lineno or 1
        if first and first[0].lineno <= count:
            raise UpdaterError(
                f"{file}, line {count}: put the statement after the semicolon on a line of its own"
            )
    return sum(map(len, lines[:count]))
