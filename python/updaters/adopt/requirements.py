"""Our line in a checkout's `requirements-local.txt`."""

import re

from updaters.adopt.block import newline_of

FILE = "requirements-local.txt"
#: pip takes it for a comment, also behind a path.
_MARK = "  # by hearing-updater adopt"
_NAMED = re.compile(rb"^[^#\r\n]*hearing[-_.]updater", re.M | re.I)


def why_not(source: bytes) -> str | None:
    """Why nothing can be added to the file; None where it can."""
    if source.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in source:
        return "is not UTF-8"
    if source.rstrip(b"\r\n").endswith(b"\\"):
        return "ends in a line that is to be continued"
    return None


def names_us(source: bytes) -> bool:
    """Whether a line asks for hearing-updater already."""
    return _NAMED.search(source) is not None


def insert(source: bytes, requirement: str) -> bytes:
    """`source` with the requirement as its last line; a missing last line end stays missing."""
    line, newline = f"{requirement}{_MARK}".encode(), newline_of(source)
    if source and not source.endswith(b"\n"):
        return source + newline + line
    return source + line + newline


def remove(source: bytes) -> bytes:
    """`source` without the line that `insert` added."""
    found = re.search(rb"^[^\r\n]*%s[ \t]*(?=\r?\n|\Z)" % re.escape(_MARK.encode()), source, re.M)
    if found is None:
        return source
    start, end = found.span()
    if end < len(source):
        end += 2 if source[end : end + 2] == b"\r\n" else 1
    elif start:
        start -= 2 if source[start - 2 : start] == b"\r\n" else 1
    return source[:start] + source[end:]
