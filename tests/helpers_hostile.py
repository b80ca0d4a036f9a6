"""For tests of hostile input: what breaks out of quotes, and a key in the forms it leaks in."""

import base64
import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

#: What an answer is: status, headers, body.
Answer = tuple[int, Mapping[str, str], bytes]

#: Each ends a string, a name or a comment of SQL, or writes where a statement is built from text.
SQL = (
    "'); DROP TABLE hearings; --",
    '"; DELETE FROM hearings; --',
    "x' OR '1'='1",
    "' UNION SELECT sql FROM sqlite_schema --",
    "a'||(SELECT load_extension('/tmp/x'))||'",
    "`; ATTACH DATABASE 'stolen.db' AS s; --",
    "]; PRAGMA writable_schema=ON; --",
    "?1 :name @x $y %s {0} \\",
)

#: Event ids that mean something else to a URL, a shell, SQL or a person; each is stored as it is.
STORED_IDS = (
    "o'brien",
    'a"b',
    "a/b",
    "../2",
    "a/../../2",
    "1?x=2",
    "1#2",
    "1%2f2",
    "%2e%2e%2f2",
    "1;2",
    "1&format=xml",
    "1\\2",
    "1@evil.example",
    "http://evil.example/2",
    "1' OR '1'='1",
    "\uff11\uff11",  # full-width digits
    "\u04301",  # Cyrillic a
    "e\u0301",  # not the same as the next
    "\u00e9",
    "<b>1</b>",
    "-1",
    "--db",
    "1 2",
    "x" * 200,
)

#: And those that no one can see for what they are; each is refused.
REFUSED_IDS = (
    "1\n2",
    "1\r\n2025-10-13 21:25:58,340 - updaters - INFO - forged",
    "1\x002",
    "\x1b[31m1",
    "\u202e21",
    "1\u200b2",
    "1\u200d2",
    "\ufeff\u20601",
    "1\u20282",
    "1\u00a02",
    "1\U000e00312",
    "1\x7f2",
    "x" * 201,
)


def schema(path: Path) -> list[tuple[Any, ...]]:
    """All that makes up the database but its rows."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2").fetchall()


def forms(secret: str) -> list[str]:
    """The secret as it could turn up in bytes that are written."""
    raw = secret.encode()
    percent = quote(secret, safe="")
    found = {secret, secret[::-1], percent}
    found.add(re.sub("%..", lambda code: code[0].lower(), percent))
    found |= {json.dumps(secret)[1:-1], json.dumps(secret)[1:-1].replace("/", "\\/")}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # What hangs on the neighbours is cut off.
            coded = encode(b"\0" * before + raw).decode().rstrip("=")
            found.add(coded[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6])
    return sorted(found)


def assert_nowhere(secrets: Iterable[str], *, folder: Path, told: Iterable[str | bytes]) -> None:
    """None of the secrets, in any form, in any file below the folder or in what was told."""
    texts = {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    texts |= {
        f"told {at}": text if isinstance(text, bytes) else text.encode("utf-8", "replace")
        for at, text in enumerate(told)
    }
    for secret in secrets:
        for form in forms(secret):
            for where, text in texts.items():
                assert form.encode() not in text, f"{form} in {where}"


class HostileApi:
    """An API that serves what the sandbox would refuse to: ids that cannot stand in a path.

    `spoil` is asked before each answer, with the path and the key that came; what it gives is sent
    instead.
    """

    def __init__(self, *meetings: dict[str, Any]) -> None:
        self.meetings = {str(one["eventId"]): one for one in meetings}
        #: The paths as they came, without their queries.
        self.paths: list[str] = []
        self.spoil: Callable[[str, str], Answer | None] = lambda path, key: None
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                api.paths.append(path)
                spoilt = api.spoil(path, self.headers.get("X-Api-Key", ""))
                status, headers, body = spoilt or api.answer(path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v3"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, path: str) -> Answer:
        parts = path.split("/")[2:]
        found: Any = {"error": "not found"}
        if parts[0] == "committee-meeting" and len(parts) < 4:
            rows = [
                {name: one.get(name) for name in ("eventId", "updateDate", "congress", "chamber")}
                for one in self.meetings.values()
            ]
            found = {"committeeMeetings": rows, "pagination": {"count": len(rows)}}
        elif parts[0] == "committee-meeting" and unquote(parts[3]) in self.meetings:
            found = {"committeeMeeting": self.meetings[unquote(parts[3])]}
        elif parts == ["committee", "house", "hsii00"]:
            about = {"systemCode": "hsii00", "name": "Natural Resources", "type": "Standing"}
            found = {"committee": {**about, "chamber": "House", "isCurrent": True}}
        status = 404 if "error" in found else 200
        return status, {"Content-Type": "application/json"}, json.dumps(found).encode()

    def __enter__(self) -> "HostileApi":
        return self

    def __exit__(self, *given: object) -> None:
        self.server.shutdown()
        self.server.server_close()
