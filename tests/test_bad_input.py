"""Whatever is wrong with files, settings, arguments or the API: one clear line, the right exit
code, and a database byte for byte as it was."""

import json
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from helpers_run import (
    AS_ANYBODY,
    COMMAND,
    MODULE,
    World,
    command,
    contents,
    make_legacy,
    meeting,
    messages,
    metrics_of,
    utc,
)
from updaters.daily_updater import DailyUpdater, main
from updaters.database import Database
from updaters.errors import ConfigurationError
from updaters.sandbox import Sandbox


@pytest.fixture
def world(clean_env: Path) -> Iterator[World]:
    """A database with three meetings, one of which has changed upstream since."""
    with Sandbox(meetings=0) as sandbox:
        world = World(clean_env, sandbox).init()
        world.put(*(meeting(n) for n in (1, 2, 3)))
        world.run()
        world.do("PRAGMA journal_mode = delete")
        shutil.rmtree(world.folder / "backups")
        world.alter(2, title="Another title")
        world.sandbox.clear_requests()
        yield world
        world.close()


def fails(world: World, *words: str, says: str | tuple[str, ...], **options: Any) -> str:
    """An update fails with one clear line and leaves all files as they were."""
    before = {k: v for k, v in world.files().items() if not k.startswith("logs")}
    options = {"code": 1, **options}
    url = options.pop("url", world.sandbox.url)
    done = command(world.folder, url, *MODULE, *words, **options)
    told = [line for line in messages(done.stderr) if line.startswith("Daily update failed: ")]
    if options["code"] == 1:
        assert len(told) == 1, done.stderr
        line = told[0]
        metrics = json.loads(done.stdout)
        assert metrics["error_count"] >= 1
    else:
        line = done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stdout == ""
    for part in (says,) if isinstance(says, str) else says:
        assert part in line, line
    after = {k: v for k, v in world.files().items() if not k.startswith("logs")}
    assert after == before
    return line


# --- files ------------------------------------------------


def test_no_file(world: World) -> None:
    world.path.unlink()
    fails(world, says=("database.db", "hearing-updater init"))
    assert not world.path.exists()


def test_a_file_of_no_bytes(world: World) -> None:
    world.path.write_bytes(b"")
    fails(world, says=("database.db", "empty: run hearing-updater init"))


def test_a_folder(world: World) -> None:
    world.path.unlink()
    world.path.mkdir()
    fails(world, says=("database.db", "a folder"))


@pytest.mark.parametrize("size", [3, 100, 40_000])
def test_a_file_that_is_no_database(world: World, size: int) -> None:
    world.path.write_bytes(b"These are minutes of a meeting.\n" * (size // 32 + 1))
    fails(world, says=("database.db", "not a SQLite database"))


@pytest.mark.parametrize("at", ["middle", "cut"])
def test_a_corrupt_database(world: World, at: str) -> None:
    data = bytearray(world.path.read_bytes())
    if at == "middle":
        # Every page but the first few: tables are hit, whatever the layout.
        for page in range(3, len(data) // 4096):
            data[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    else:
        del data[len(data) // 2 :]
    world.path.write_bytes(data)
    line = fails(world, says="hearing-updater restore")
    assert "corrupt" in line or "malformed" in line or "damaged" in line


def test_a_database_without_the_tables(world: World) -> None:
    world.path.unlink()
    with closing(sqlite3.connect(world.path)) as db, db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    fails(world, says=("missing table", "hearings"))


def test_a_database_that_lost_its_hearings(world: World) -> None:
    world.path.unlink()
    make_legacy(world.path)
    world.do("UPDATE sqlite_sequence SET seq = 1168 WHERE name = 'hearings'")
    fails(world, says=("3 hearings", "100"))


needs_setpriv = pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="setpriv is not installed"
)


@needs_setpriv
def test_an_unreadable_file(world: World) -> None:
    world.path.chmod(0)
    fails(world, says=("database.db", "ermission"), before=AS_ANYBODY)


@needs_setpriv
def test_a_read_only_file(world: World) -> None:
    world.path.chmod(0o444)
    line = fails(world, says="database.db", before=AS_ANYBODY)
    assert "read-only" in line or "ermission" in line


@needs_setpriv
def test_a_read_only_folder(world: World) -> None:
    world.folder.chmod(0o555)
    try:
        fails(world, says="database.db", before=AS_ANYBODY)
    finally:
        world.folder.chmod(0o755)


@needs_setpriv
def test_a_dry_run_reads_a_read_only_file(world: World) -> None:
    (world.folder / "logs").mkdir(exist_ok=True)
    world.path.chmod(0o444)
    world.folder.chmod(0o555)
    try:
        done = command(world.folder, world.sandbox.url, *MODULE, "--dry-run", before=AS_ANYBODY)
    finally:
        world.folder.chmod(0o755)
    assert json.loads(done.stdout)["hearings_updated"] == 1


@pytest.mark.parametrize(
    "words",
    [[*COMMAND, "history", "1"], [*COMMAND, "deferred"], [*COMMAND, "rollback", "--run", "1"]],
)
def test_the_other_commands_on_what_is_no_database(world: World, words: list[str]) -> None:
    for content in (b"", b"not a database at all, not at all" * 200):
        world.path.write_bytes(content)
        done = command(world.folder, world.sandbox.url, *words, code=1)
        assert done.stderr.count("\n") == 1, done.stderr
        assert "database.db" in done.stderr
        assert world.path.read_bytes() == content
        assert not (world.folder / "database.db.updater-lock").exists()


def test_a_locked_database(world: World) -> None:
    # In a process of its own: this one drops its locks when it reads the file to compare it.
    code = (
        "import sqlite3, sys\n"
        "db = sqlite3.connect('database.db')\n"
        "db.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    before = world.files()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=world.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        updater = world.updater()
        updater.db = Database(world.path, wait_seconds=0.3)
        result = updater.run_daily_update()
        holder.communicate("")
    updater.db.close()
    assert result["success"] is False
    assert "database.db" in result["error"]
    assert "locked" in result["error"]
    assert "\n" not in result["error"]
    left = [name for name in world.files() if name not in before]
    assert left == []
    assert world.files() == before


def test_a_file_that_is_locked_for_a_moment_is_waited_for(world: World) -> None:
    db = sqlite3.connect(world.path, check_same_thread=False)
    db.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(1.0, db.rollback)
    timer.start()
    try:
        done = command(world.folder, world.sandbox.url, *MODULE)
    finally:
        timer.join()
        db.close()
    assert json.loads(done.stdout)["hearings_updated"] == 1


# --- a full disk ------------------------------------------------


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A file system of this size at `folder`, where this machine lets us."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(world: World) -> None:
    data = world.path.read_bytes()
    other = world.folder / "small"
    other.mkdir()
    with small_disk(other, len(data) // 1024 + 80):
        path = other / "database.db"
        path.write_bytes(data)
        many = [meeting(1000 + n, title="x" * 3000) for n in range(60)]
        world.put(*many)
        before = contents(path)
        done = command(
            world.folder,
            world.sandbox.url,
            *MODULE,
            "--db",
            str(path),
            code=1,
            BATCH_PROCESSING_SIZE="200",
        )
        told = [line for line in messages(done.stderr) if line.startswith("Daily update failed: ")]
        assert len(told) == 1
        assert "full" in done.stderr
        assert contents(path) == before
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_disk_that_fills_up_between_two_batches_fails_the_run(world: World) -> None:
    data = world.path.read_bytes()
    other = world.folder / "small"
    other.mkdir()
    with small_disk(other, 2 * len(data) // 1024 + 400):
        path = other / "database.db"
        path.write_bytes(data)
        world.put(*(meeting(1000 + n, title="x" * 3000) for n in range(120)))
        done = command(
            world.folder,
            world.sandbox.url,
            *MODULE,
            "--db",
            str(path),
            code=1,
            BATCH_PROCESSING_SIZE="10",
        )
        said = messages(done.stderr)
        applied = sum("succeeded: " in line for line in said)
        assert 0 < applied < 12
        assert sum(line.startswith("✗ Batch ") for line in said) == 1
        assert "the disk is full" in said[-1]
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        metrics = metrics_of(done)
        assert metrics["hearings_added"] + metrics["hearings_updated"] == 10 * applied


def test_a_limit_on_file_size(world: World) -> None:
    limit = world.path.stat().st_size + 20_000
    world.put(*(meeting(1000 + n, title="x" * 3000) for n in range(60)))
    before = world.snapshot()
    done = command(
        world.folder,
        world.sandbox.url,
        *MODULE,
        code=1,
        preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        BATCH_PROCESSING_SIZE="200",
    )
    assert "Daily update failed: " in done.stderr
    assert world.snapshot() == before
    assert world.value("PRAGMA integrity_check") == "ok"
    # There is room again.
    again = command(world.folder, world.sandbox.url, *MODULE)
    assert json.loads(again.stdout)["hearings_added"] == 60


@pytest.fixture
def refused(clean_env: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the module's command line here; it ends with exit 2 and one line, at once."""
    path = clean_env / "database.db"
    path.write_bytes(b"as it was")

    def run(*words: str) -> str:
        assert main(list(words)) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err
        assert os.listdir(clean_env) == ["database.db"]
        assert path.read_bytes() == b"as it was"
        return err

    return run


# --- settings and arguments ------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_PROCESSING_SIZE", "0"),
        ("BATCH_PROCESSING_SIZE", "many"),
        ("RATE_LIMIT", "0"),
        ("MAX_CONCURRENCY", "0"),
        ("RETRY_ATTEMPTS", "-1"),
        ("CONNECT_TIMEOUT", "x"),
        ("READ_TIMEOUT", "0"),
        ("CIRCUIT_BREAKER_THRESHOLD", "0"),
        ("TARGET_CONGRESS", "0"),
        ("ENABLE_BATCH_PROCESSING", "perhaps"),
        ("LOG_LEVEL", "LOUD"),
        ("JOURNAL_RETENTION_DAYS", "-1"),
        ("API_BASE_URL", "not an address"),
        ("NOTIFICATION_TYPE", "pigeon"),
        ("POSTGRES_URL", "postgres://nobody@localhost/x"),
        ("DATABASE_URL", "postgres://nobody@localhost/x"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert name in refused()


def test_a_bad_setting_of_a_process(world: World) -> None:
    fails(world, says="BATCH_PROCESSING_SIZE", code=2, BATCH_PROCESSING_SIZE="0")
    assert world.sandbox.request_count == 0
    assert not (world.folder / "logs").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--congress", "0"], "congress"),
        (["--congress", "9999"], "congress"),
        (["--congress", "x"], "--congress"),
        (["--lookback-days", "-1"], "lookback"),
        (["--lookback-days", "1000000"], "lookback"),
        (["--mode", "odd"], "odd"),
        (["--components", "odd"], "odd"),
        (["--event", "../../etc"], "--event"),
        (["--event", ""], "--event"),
        (["--wait", "-1"], "--wait"),
        (["--wait", "nan"], "--wait"),
        (["--db", ""], "--db"),
        (["--nonsense"], "--nonsense"),
        (["word"], "word"),
    ],
)
def test_a_bad_argument_is_one_line_that_names_it(
    refused: Callable[..., str], words: list[str], named: str
) -> None:
    assert named in refused(*words)


@pytest.mark.parametrize(
    "arguments",
    [
        {"congress": 0},
        {"congress": 9999},
        {"congress": "119"},
        {"congress": True},
        {"lookback_days": -1},
        {"lookback_days": 2.5},
        {"update_mode": "odd"},
        {"components": ["odd"]},
        {"components": "hearings"},
    ],
)
def test_bad_arguments_of_an_updater(clean_env: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        DailyUpdater(**arguments)
    assert next(iter(arguments)).split("_")[0].rstrip("s") in str(raised.value)
    assert os.listdir(clean_env) == []


def test_a_database_on_a_server_is_refused_at_once(
    clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_URL", "postgres://me:secret@localhost/hearings")
    with pytest.raises(ConfigurationError) as raised:
        DailyUpdater()
    assert "secret" not in str(raised.value)


# --- an API that answers nonsense ------------------------------------------------


@pytest.mark.parametrize("kind", ["html", "truncated", "reset", "500", "503", "oversize"])
def test_an_api_that_answers_nonsense(world: World, kind: str) -> None:
    world.sandbox.faults = {kind: 1.0}
    fails(world, says="", RETRY_ATTEMPTS="1", CIRCUIT_BREAKER_ENABLED="false")


@contextmanager
def odd_api(body: bytes, status: int = 200, kind: str = "application/json") -> Iterator[str]:
    """An API that has one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v3"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"hello"',
        b"42",
        b"{}",
        b'{"committeeMeetings": 7}',
        b'{"committeeMeetings": {"a": 1}}',
        b'{"error": "nothing here"}',
        b"\xff\xfe\x00",
        b"[" * 5000,
    ],
)
def test_wrong_json_in_place_of_the_list(world: World, body: bytes) -> None:
    with odd_api(body) as url:
        fails(world, says="committee-meeting", url=url, CIRCUIT_BREAKER_ENABLED="false")


@pytest.mark.parametrize(
    "row",
    [{}, {"eventId": None}, {"eventId": []}, 7, None, "x", {"eventId": "9", "chamber": 4}, [1]],
)
def test_odd_rows_in_the_list_harm_nobody(world: World, row: Any) -> None:
    page = {"committeeMeetings": [row], "pagination": {"count": 1}}
    before = world.snapshot()
    with odd_api(json.dumps(page).encode()) as url:
        updater = world.updater({"api_base_url": url, "circuit_breaker_enabled": False})
        outcome = updater.run_daily_update()
        updater.db.close()
    assert set(outcome) >= {"success", "metrics"}
    assert world.snapshot() == before


@pytest.mark.parametrize(
    "detail",
    [
        {},
        [],
        None,
        {"committeeMeeting": None},
        {"committeeMeeting": []},
        {"committeeMeeting": {}},
        {"committeeMeeting": {"eventId": "77", "chamber": "House", "title": ["a", "list"]}},
        {"committeeMeeting": {"eventId": "other", "chamber": "House", "title": "x"}},
    ],
)
def test_odd_details_overwrite_nothing(world: World, detail: Any) -> None:
    before = world.snapshot()
    updater = world.updater()
    api = updater.api_client
    real = api.get

    class Fake:
        def get(self, endpoint: str, params: Any = None) -> Any:
            return detail if endpoint.rstrip("/").endswith("/2") else real(endpoint, params)

        def __getattr__(self, name: str) -> Any:
            return getattr(api, name)

    updater.api_client = Fake()
    result = updater.run_daily_update()
    updater.db.close()
    assert set(result) >= {"success", "metrics"}
    assert world.snapshot() == before
    assert world.hearing(2)["title"] == "Meeting 2"


@pytest.mark.parametrize("code", ["API_KEY_INVALID", "API_KEY_MISSING"])
def test_a_key_that_is_refused_is_one_line_and_one_request(world: World, code: str) -> None:
    body = json.dumps({"error": {"code": code, "message": "An invalid key was supplied."}})
    with odd_api(body.encode(), status=403) as url:
        fails(world, says=("key", "CONGRESS_API_KEY"), url=url)


def test_the_sandbox_refuses_a_key_too(world: World) -> None:
    fails(world, says="CONGRESS_API_KEY", CONGRESS_API_KEY="INVALID_KEY")
    assert world.sandbox.request_count == 1


def test_nobody_answers(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fails(world, says="committee-meeting", url=f"http://127.0.0.1:{port}/v3")


def test_an_update_date_from_the_future_is_no_trouble(world: World) -> None:
    world.alter(1, title="From the future", updateDate=utc(days=-400))
    assert world.run()["hearings_updated"] == 2
    assert world.run()["hearings_updated"] == 0
