"""The key is searched for in every byte that is written, plain and coded, whatever fails."""

import base64
import contextlib
import gzip
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from conftest import MakeNotifier
from helpers_hostile import Answer, HostileApi, assert_nowhere, forms
from helpers_notify import Receiver
from helpers_run import World, environment, meeting, utc
from updaters.logs import mask, secrets_of
from updaters.sandbox import Sandbox

#: Of the characters that URLs, JSON, shells, HTML and patterns act upon.
KEY = 'kE9+/&?=%23"\\<z>$(x)*.[a-]'
GRID, HOOK = "SG.grid-key_4711/+x", "hook-path-secret-0815"
SECRETS = [KEY, GRID, HOOK]
#: All that a sandbox can be told to do wrong.
KINDS = ["500", "502", "503", "504", "429", "slow", "reset", "truncated", "html", "redirect",
         "oversize", "drip", "bad-row", "poison", "404", "filter"]  # fmt: skip


def echoed(key: str) -> dict[str, Answer]:
    """What a server, or a proxy before it, may make of a request where it fails: it shows it."""
    told = f"bad key {key}; " + "; ".join(forms(key))
    basic = base64.b64encode(f"user:{key}".encode()).decode()
    coded = quote(key, safe="")
    url = f"https://h/v3?api_key={coded}&a=1"

    def as_json(status: int, **body: Any) -> Answer:
        headers = {"Content-Type": "application/json", "X-Echo": quote(key)}
        return status, headers, json.dumps(body).encode()

    return {
        "400": as_json(400, error={"code": "BAD", "message": told[:150]}),
        "401": as_json(401, error={"code": "NO", "message": f"X-Api-Key: {key}"}),
        "403": as_json(403, error={"code": "API_KEY_INVALID", "message": told}),
        "403 odd": as_json(403, error={"code": f"API_KEY_{key}"}),
        "404": as_json(404, error=told),
        "429": as_json(429, error={"message": f"{key} is over its limit"}),
        "500": as_json(500, error={"message": f"Authorization: Basic {basic}"}),
        "500 url": as_json(500, error={"message": url}),
        "500 backwards": as_json(500, error={"message": key[::-1]}),
        "500 html": (500, {"Content-Type": "text/html"}, f"<p>{told}</p>".encode()),
        "503": as_json(503, detail=json.dumps({"key": key})),
        "200 html": (200, {"Content-Type": "text/html"}, told.encode()),
        "200 cut": (200, {}, json.dumps({"key": told}).encode()[:-9]),
        "200 of another": as_json(200, committeeMeeting={"eventId": key}),
        "200 odd": as_json(200, **{key: told}),
        "301": (
            301,
            {"Location": f"http://elsewhere.example/{coded}?api_key={coded}"},
            b"",
        ),
        "302": (302, {"Location": f"?api_key={coded}"}, b""),
        "307": (307, {"Location": f"http://{coded}@127.0.0.1:1/{coded}"}, b""),
    }


def variables(receiver: Receiver, **more: str) -> dict[str, str]:
    """Everything on, everything secret."""
    return {
        "CONGRESS_API_KEY": KEY,
        "SENDGRID_API_KEY": GRID,
        "NOTIFICATION_ENABLED": "true",
        "NOTIFICATION_TYPE": "webhook",
        "NOTIFICATION_WEBHOOK_URL": receiver.url.replace("path-secret", HOOK),
        "LOG_LEVEL": "DEBUG",
        "PYTHONFAULTHANDLER": "1",
        "BATCH_PROCESSING_SIZE": "2",
        **more,
    }


@pytest.mark.parametrize("kind", sorted(echoed(KEY)))
def test_where_a_failing_api_repeats_it(world: World, receiver: Receiver, kind: str) -> None:
    """In details at first, then in the list: every error is told, stored, sent, and has no key."""
    answer = echoed(KEY)[kind]
    told: list[str | bytes] = []
    with HostileApi(*(meeting(n) for n in range(3))) as api:
        settings = {
            "api_base_url": api.url,
            "api_key": KEY,
            "sendgrid_api_key": GRID,
            "notification_enabled": True,
            "notification_type": "webhook",
            "notification_webhook_url": receiver.url.replace("path-secret", HOOK),
            "retry_attempts": 1,
            "circuit_breaker_enabled": False,
        }
        with every_line() as lines:
            for part in ("/119/house/", "/119", "/committee/"):
                api.spoil = lambda path, key, part=part: answer if part in path else None  # type: ignore[misc]
                updater = world.updater(settings)
                result = updater.run_daily_update()
                told += [json.dumps(result, default=repr), repr(vars(updater)), repr(result)]
                updater.db.close()
        told += lines
    told += [json.dumps(receiver.received)]
    assert any("119/house" in line for line in lines if isinstance(line, str))
    assert_nowhere(SECRETS, folder=world.folder, told=told)


class every_line:
    """What a handler of somebody else's gets at DEBUG, with tracebacks and all variables."""

    def __enter__(self) -> list[str]:
        lines: list[str] = []

        class Theirs(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                lines.append(self.format(record) + repr(record.args) + repr(record.msg))

        self.handler = Theirs()
        self.level = logging.root.level
        logging.root.addHandler(self.handler)
        logging.root.setLevel(logging.DEBUG)
        return lines

    def __exit__(self, *given: object) -> None:
        logging.root.removeHandler(self.handler)
        logging.root.setLevel(self.level)


#: Each fault of the sandbox by itself, or two rounds of all of them.
ROUNDS = KINDS if os.environ.get("HOSTILE_LONG") else ["mixed"]


@pytest.mark.parametrize("kind", ROUNDS)
def test_in_nothing_that_the_programs_write(clean_env: Path, receiver: Receiver, kind: str) -> None:
    """An update, its failures, its undoing, reports, a recording, checks: as processes."""
    told: list[str | bytes] = []
    with Sandbox(meetings=12, seed=3, spread_days=5) as sandbox:
        sandbox.slow_ms = 1
        given = variables(receiver, RETRY_ATTEMPTS="2", RETRY_BACKOFF_FACTOR="0.01")

        def run(*words: str, codes: tuple[int, ...] = (0,), **more: str) -> None:
            done = run_any(clean_env, sandbox.url, *words, **{**given, **more})
            assert done.returncode in codes, done.stderr
            told.extend([done.stdout, done.stderr])

        module, cli = ("-m", "updaters.daily_updater"), ("-m", "updaters.cli")
        run(*cli, "init")
        sandbox.faults = dict.fromkeys(KINDS, 0.02) if kind == "mixed" else {kind: 0.3}
        run(*module, codes=(0, 1))
        sandbox.faults = {}
        run(*cli, "record", "--to", "answers.rec", "--lookback-days", "9")
        run(*module)
        run(*cli, "rollback", "--run", "1", codes=(0, 1))
        run(*cli, "restore")
        run(*cli, "report", "--since", "7d", "--format", "html", "--output", "page.html")
        run(
            *cli,
            "monitor",
            "--log",
            "logs/h.log",
            "--prometheus",
            "m.prom",
            "--json",
            codes=(0, 1, 2),
        )
        run(*cli, "notify-test")
        run(*module, codes=(2,), API_BASE_URL="http://far.example/v3")
        run(*module, codes=(2,), POSTGRES_URL=f"postgres://u:{GRID}@h/d")
        run(*module, codes=(1,), DATABASE_PATH="nowhere.db")
    told += [json.dumps(receiver.received)]
    assert receiver.received
    assert (clean_env / "answers.rec").exists()
    told.append(gzip.decompress((clean_env / "answers.rec").read_bytes()))
    assert_nowhere(SECRETS, folder=clean_env, told=told)


def run_any(folder: Path, url: str, *words: str, **given: str) -> Any:
    """As `command`, whatever the exit code."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment(folder, url, **given),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def test_in_nothing_that_a_trial_leaves(
    clean_env: Path, filled_db: Path, receiver: Receiver
) -> None:
    told: list[str | bytes] = []
    given = variables(receiver, ENABLE_BATCH_PROCESSING="")
    steps = [["baseline", "--rounds", "1"], ["report"]]
    if os.environ.get("HOSTILE_LONG"):
        steps.append(["run", "--rounds", "1"])
    for words in steps:
        step = ("-m", "updaters.cli", "trial-gate", *words, "--sandbox", "--db", "database.db")
        done = run_any(clean_env, "http://127.0.0.1:9/v3", *step, **given)
        assert "Traceback" not in done.stderr
        told += [done.stdout, done.stderr]
    assert (clean_env / "logs" / "DAY_10_12_TRIAL_GATE_REPORT.md").exists(), told
    assert_nowhere(SECRETS, folder=clean_env, told=told)


def test_in_no_notification(by_webhook: MakeNotifier, receiver: Receiver) -> None:
    told = by_webhook(receiver.url, api_key=KEY, sendgrid_api_key=GRID)
    for form in (*forms(KEY), *forms(GRID)):
        assert told.send(f"T {form}", f"m {form}", metadata={form: [form], "a": {form: form}})
    text = json.dumps(receiver.bodies)
    for form in (*forms(KEY), *forms(GRID)):
        assert form not in text
        assert json.dumps(form)[1:-1] not in text


# --- keys that are no keys -----------------------------------------------------------------------


@pytest.mark.parametrize("key", ["update", "x", "119", "errors"])
def test_a_key_that_is_a_word_mangles_nothing(world: World, receiver: Receiver, key: str) -> None:
    """A placeholder, or a mistake: the lines that people grep for stay, and so do the records."""
    world.put(meeting(1, title=f"On {key} of hearings"))
    more = {
        "CONGRESS_API_KEY": key,
        "SENDGRID_API_KEY": key,
        "NOTIFICATION_ENABLED": "true",
        "NOTIFICATION_TYPE": "webhook",
        "NOTIFICATION_WEBHOOK_URL": receiver.url,
    }
    done = run_any(world.folder, world.sandbox.url, "-m", "updaters.daily_updater", **more)
    assert done.returncode == 0
    assert "****" not in done.stdout + done.stderr
    assert "Daily update completed successfully in " in done.stderr
    assert "hearings_checked" in json.loads(done.stdout)
    assert world.hearing(1)["title"] == f"On {key} of hearings"


@pytest.mark.parametrize("key", ["update", "x", "119", "abc12"])
def test_such_a_key_goes_where_it_is_called_one(make_settings: Any, key: str) -> None:
    secrets = secrets_of(make_settings(api_key=key))
    for text in (f"api_key={key}&x=1", f"Invalid API key: {key}.", f"X-Api-Key: {key}"):
        assert key not in mask(text, secrets).replace("x=1", "").replace("X-Api", "")


def test_a_list_of_secrets_does_not_show_them(make_settings: Any) -> None:
    settings = make_settings(api_key=KEY, notification_webhook_url=f"https://h.example/{HOOK}")
    assert KEY not in repr(secrets_of(settings))
    assert HOOK not in repr(secrets_of(settings))
    assert KEY in secrets_of(settings)


@pytest.mark.parametrize("kind", sorted(echoed(KEY)))
def test_the_search_finds_it_in_each_of_these_answers(tmp_path: Path, kind: str) -> None:
    _, headers, body = echoed(KEY)[kind]
    texts = [json.dumps(headers), body.decode()]
    with contextlib.suppress(ValueError):
        texts += [str(value) for value in flat(json.loads(body))]
        texts += [str(value) for value in flat(json.loads(texts[-1]))]
    with pytest.raises(AssertionError):
        assert_nowhere([KEY], folder=tmp_path, told=texts)


def flat(value: Any) -> list[Any]:
    """All names and values of JSON."""
    if isinstance(value, dict):
        return [part for pair in value.items() for one in pair for part in flat(one)]
    return [part for one in value for part in flat(one)] if isinstance(value, list) else [value]


def test_updated_rows_keep_what_the_api_says(world: World) -> None:
    """What upstream sends as data is stored as it is, should it look like a key."""
    world.put(meeting(1, title="Set api_key=abc in the form", updateDate=utc()))
    world.run()
    assert world.hearing(1)["title"] == "Set api_key=abc in the form"
