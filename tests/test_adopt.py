"""`hearing-updater adopt`: an existing checkout runs the native updater, and goes back."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from helpers_adopt import CLASHING, Checkout, adopt
from helpers_run import meeting
from updaters.sandbox import Sandbox


@pytest.fixture
def checkout(clean_env: Path) -> Checkout:
    return Checkout(clean_env / "my hearings")


@pytest.fixture
def api() -> Iterator[Sandbox]:
    with Sandbox(meetings=0) as sandbox:
        for number in (1, 2, 3):
            sandbox.set_meeting(meeting(number))
        yield sandbox


def logged(checkout: Checkout) -> list[tuple[str, int | None]]:
    """(trigger_source, schedule_id) of the runs."""
    with closing(sqlite3.connect(checkout.folder / "theirs.db")) as db:
        return db.execute(
            "SELECT trigger_source, schedule_id FROM update_logs ORDER BY log_id"
        ).fetchall()


def works_everywhere(checkout: Checkout, whose: str) -> None:
    """Everything that people start, in a process of its own; whose updater it is."""
    before = len(logged(checkout))
    assert checkout.whose() == whose
    assert checkout.run(program="scripts/nightly.sh").returncode == 0
    assert checkout.run("scripts/once.py").stdout.splitlines()[-1] == "True"
    assert "checked 3" in checkout.run("manage.py", "update").stdout
    code = (
        "from api.cron import app\n"
        "answer = app.test_client().post('/api/cron/scheduled-update/7').json\n"
        "assert answer['success'] and answer['metrics']['hearings_checked'] == 3, answer"
    )
    checkout.run("-c", code)
    assert logged(checkout)[before:] == [
        ("manual", None),
        ("admin_manual", None),
        ("vercel_cron", 7),
    ]
    done = checkout.run("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert " passed" in done.stdout and "failed" not in done.stdout
    # Theirs is told of trouble, in its own way.
    (checkout.folder / "sent.txt").unlink(missing_ok=True)
    checkout.run("-m", "updaters.daily_updater", code=1, API_BASE_URL="http://127.0.0.1:9")
    assert "UPDATE" in checkout.read("sent.txt").decode()
    (checkout.folder / "sent.txt").unlink()
    assert "their own" in checkout.run("-m", "scripts.verify_updates").stdout


@pytest.mark.parametrize("files", [{}, CLASHING], ids=["plain", "names-in-both"])
def test_everything_runs_before_and_after_and_after_undo(
    clean_env: Path, api: Sandbox, files: dict[str, str]
) -> None:
    checkout = Checkout(clean_env / "my hearings", files)
    checkout.url = api.url
    before = checkout.tree()
    works_everywhere(checkout, "legacy")
    told = adopt(checkout.folder, "--yes").stdout
    assert "Checked in a new process" in told
    assert ("updaters.metrics is a name of hearing-updater's, too" in told) is bool(files)
    assert (checkout.folder / "updaters/daily_updater_legacy.py").is_file()
    works_everywhere(checkout, "native")
    assert checkout.run(
        "-c", "import updaters.daily_updater_legacy as m; print(m._of_old())"
    ).stdout
    # The console script, which is not in the checkout, and has the installed package first.
    script = "import sys; sys.path[0] = '/'; sys.argv = ['hearing-updater', *sys.argv[1:]]\n"
    script += "from updaters.cli import main; sys.exit(main())"
    done = checkout.run("-c", script, "update", "--dry-run")
    assert json.loads(done.stdout)["hearings_checked"] == 3
    checkout.run("-c", script, "update", code=1, API_BASE_URL="http://127.0.0.1:9")
    assert "UPDATE" in checkout.read("sent.txt").decode()
    (checkout.folder / "sent.txt").unlink()
    for left in (checkout.folder / "logs").iterdir():
        left.unlink()
    (checkout.folder / "backups").exists() and os.system(f"rm -r '{checkout.folder}/backups'")
    adopt(checkout.folder, "--undo", "--yes")
    assert checkout.tree() == before
    assert checkout.whose() == "legacy"
