"""A checkout as people have one, with a small stand-in for the updater that is being replaced."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import flask

import updaters
from helpers_run import KEY, environment
from updaters._native import init_database

#: Writes a row of `update_logs`, asks the API once, and calls itself "legacy".
OLD_MODULE = '''
"""The updater of old."""
import argparse, json, logging, sqlite3, sys, urllib.request
from datetime import datetime
from config.settings import Settings
from database.manager import connect
from notifications import get_notifier

logger = logging.getLogger("updaters.daily_updater")


class UpdateMetrics:
    def __init__(self):
        self.start_time, self.hearings_checked, self.errors = datetime.now(), 0, []

    def to_dict(self):
        return {"start_time": self.start_time.isoformat(), "core": "legacy",
                "hearings_checked": self.hearings_checked, "errors": self.errors}


def _of_old():
    return "only here"


class DailyUpdater:
    def __init__(self, congress=119, lookback_days=7, update_mode="incremental", components=None):
        self.settings, self.congress = Settings(), congress
        self.trigger_source, self.schedule_id = "manual", None
        self.metrics, self.notifier = UpdateMetrics(), get_notifier()

    def run_daily_update(self, dry_run=False, progress_callback=None):
        url = f"{self.settings.base_url()}/committee-meeting/{self.congress}?limit=250&api_key=k"
        try:
            with urllib.request.urlopen(url) as answer:
                self.metrics.hearings_checked = len(json.load(answer)["committeeMeetings"])
        except OSError as exc:
            self.metrics.errors.append(str(exc))
            self.notifier.send("Update failed", str(exc))
            return {"success": False, "error": str(exc), "metrics": self.metrics.to_dict()}
        if not dry_run:
            with connect(self.settings.database_path) as db:
                db.execute(
                    "INSERT INTO update_logs (update_date, start_time, trigger_source, schedule_id,"
                    " success) VALUES (date('now'), datetime('now'), ?, ?, 1)",
                    (self.trigger_source, self.schedule_id))
        return {"success": True, "dry_run": dry_run, "metrics": self.metrics.to_dict()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--congress", type=int, default=119)
    parser.add_argument("--lookback-days", type=int, default=7)
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    result = DailyUpdater(args.congress, args.lookback_days).run_daily_update(args.dry_run)
    print(json.dumps(result["metrics"], indent=2))
    return 0 if result["success"] else 1


if __name__ == "__main__":
    sys.exit(main())
'''

SETTINGS = """
import os
from typing import Optional
from pydantic_settings import BaseSettings, SettingsConfigDict

print("Loading settings ...")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="ignore")
    api_key: Optional[str] = None
    api_base_url: str = "http://127.0.0.1:9"
    database_path: str = "elsewhere.db"
    enable_batch_processing: bool = False

    def base_url(self):
        return self.api_base_url


settings = Settings()
"""

FILES = {
    ".env": "DATABASE_PATH=theirs.db\n",
    ".gitignore": ".venv/\n__pycache__/\n*.db*\nlogs/\nbackups/\n.env\n.pytest_cache/\n",
    "requirements-local.txt": "click\nflask\n",
    "config/__init__.py": "",
    "config/settings.py": SETTINGS,
    "database/__init__.py": "",
    "database/manager.py": "import sqlite3\n\nconnect = sqlite3.connect\n",
    "notifications/__init__.py": "from .manager import get_notifier\n",
    "notifications/manager.py": """
from updaters.helpers import shout

class Theirs:
    def send(self, title, message, severity="error", metadata=None):
        with open("sent.txt", "a") as file:
            file.write(shout(title) + "\\n")

def get_notifier():
    return Theirs()
""",
    "scripts/verify_updates.py": "print('their own verification')\n",
    "scripts/nightly.sh": """#!/bin/sh
cd "$(dirname "$0")/.." || exit 1
exec .venv/bin/python -m updaters.daily_updater --congress 119 --lookback-days 30
""",
    "scripts/once.py": """
import os, sys
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from updaters.daily_updater import DailyUpdater
print(DailyUpdater(119, 30).run_daily_update(dry_run=True)["success"])
""",
    "manage.py": """
import click

@click.group()
def cli(): pass

@cli.command()
@click.option("--lookback-days", default=30)
def update(lookback_days):
    from updaters.daily_updater import DailyUpdater
    updater = DailyUpdater(congress=119, lookback_days=lookback_days)
    updater.trigger_source = "admin_manual"
    result = updater.run_daily_update()
    click.echo(f"checked {result['metrics']['hearings_checked']}")
    raise SystemExit(0 if result["success"] else 1)

if __name__ == "__main__":
    cli()
""",
    "api/__init__.py": "",
    "api/cron.py": """
from flask import Flask, jsonify
from updaters.daily_updater import DailyUpdater

app = Flask(__name__)

@app.post("/api/cron/scheduled-update/<int:schedule_id>")
def scheduled_update(schedule_id):
    updater = DailyUpdater(congress=119, lookback_days=30)
    updater.schedule_id = schedule_id
    updater.trigger_source = "vercel_cron"
    result = updater.run_daily_update()
    return jsonify(success=result["success"], metrics=result["metrics"])
""",
    "updaters/helpers.py": "def shout(text):\n    return text.upper()\n",
    "updaters/weekly.py": """
from updaters.daily_updater import DailyUpdater, UpdateMetrics
from .helpers import shout

class WeeklyUpdater(DailyUpdater):
    name = shout("weekly")
""",
    "updaters/jobs/__init__.py": "from ..helpers import shout\n",
    "updaters/jobs/nightly.py": "from updaters.weekly import WeeklyUpdater\n",
    "tests/conftest.py": """
import os, sys
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
""",
    "tests/test_updates.py": """
from unittest.mock import patch
from updaters.daily_updater import DailyUpdater, UpdateMetrics
from updaters.helpers import shout
from updaters.jobs.nightly import WeeklyUpdater

def test_the_neighbours():
    assert issubclass(WeeklyUpdater, DailyUpdater) and WeeklyUpdater.name == "WEEKLY"

def test_metrics_are_plain():
    metrics = UpdateMetrics()
    metrics.errors.append("one")
    assert metrics.to_dict()["errors"] == ["one"]

def test_the_cron_endpoint():
    from api.cron import app
    with patch("updaters.daily_updater.DailyUpdater.run_daily_update") as run:
        run.return_value = {"success": True, "metrics": {}}
        answer = app.test_client().post("/api/cron/scheduled-update/7")
    assert answer.json["success"] is True

def test_the_class_replaced():
    with patch("updaters.daily_updater.DailyUpdater") as made:
        made.return_value.run_daily_update.return_value = {
            "success": True, "metrics": {"hearings_checked": 5}}
        from click.testing import CliRunner
        from manage import cli
        answer = CliRunner().invoke(cli, ["update"])
    assert answer.exit_code == 0 and "checked 5" in answer.output
    made.assert_called_once_with(congress=119, lookback_days=30)
""",
}

#: Modules of the checkout that have names of ours, and what in it uses them.
CLASHING = {
    "updaters/settings.py": "WHOSE = 'theirs'\n",
    "updaters/metrics.py": "WHOSE = 'theirs'\nfrom updaters.settings import WHOSE as same\n",
    "updaters/notifier.py": "WHOSE = 'theirs'\n",
    "updaters/database.py": "from .metrics import WHOSE\n",
    "updaters/cli/__init__.py": "from updaters.run import WHOSE\n",
    "updaters/run.py": "WHOSE = 'theirs'\n",
    "updaters/notices.py": "WHOSE = 'theirs'\n",
    "updaters/templates/__init__.py": "",
    "tests/test_own.py": """
import importlib
import pytest

@pytest.mark.parametrize("name", ["settings", "metrics", "notifier", "database", "cli", "run"])
def test_is_ours(name):
    import updaters.daily_updater
    assert importlib.import_module(f"updaters.{name}").WHOSE == "theirs"

def test_by_attribute():
    from updaters import daily_updater, notices, settings
    assert (notices.WHOSE, settings.WHOSE) == ("theirs", "theirs")
""",
}

INIT = b'"""Their updaters."""\n\nfrom .daily_updater import DailyUpdater\n'


class Checkout:
    """A checkout, its interpreter, and the tree that it is."""

    def __init__(self, folder: Path, files: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.url = "http://127.0.0.1:9"
        for name, text in {**FILES, **(files or {})}.items():
            self.write(name, text.encode())
        self.write("updaters/__init__.py", INIT)
        self.write("updaters/daily_updater.py", OLD_MODULE.encode())
        (folder / "scripts/nightly.sh").chmod(0o755)
        (folder / "updaters/daily_updater.py").chmod(0o640)
        for path in folder.rglob("*"):
            os.utime(path, ns=(1_600_000_000_123_456_789, 1_600_000_001_987_654_321))
        self.python = folder / ".venv" / "bin" / "python"
        self.make_environment(str(Path(updaters.__file__).parent.parent))
        init_database(str(folder / "theirs.db"))

    def make_environment(self, *more: str) -> None:
        """A virtual environment of its own, which has the packages of ours by a path file."""
        venv.create(self.folder / ".venv", symlinks=True)
        [packages] = (self.folder / ".venv/lib").glob("python*/site-packages")
        lines = [str(Path(flask.__file__).parent.parent), *more]
        (packages / "shared.pth").write_text("\n".join(lines) + "\n")

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def tree(self) -> dict[str, Any]:
        """File -> content, mode and times; folders too. Without what programs leave behind."""
        found: dict[str, Any] = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if name.startswith((".venv", ".git/", "theirs.db")) or "__pycache__" in name:
                continue
            status = path.lstat()
            if path.is_file():
                found[name] = (path.read_bytes(), oct(status.st_mode), status.st_mtime_ns)
            else:
                found[name] = oct(status.st_mode)
        return found

    def run(
        self, *words: str, code: int = 0, program: str | None = None, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run its interpreter, or another program, in its folder."""
        done = subprocess.run(
            [program or str(self.python), *words],
            cwd=self.folder,
            env={
                **environment(self.folder, self.url, **variables),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": "",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert KEY not in done.stdout + done.stderr
        return done

    def whose(self, **options: Any) -> str:
        """Which updater `python3 -m updaters.daily_updater` is."""
        done = self.run("-m", "updaters.daily_updater", "--dry-run", **options)
        return "legacy" if json.loads(_metrics(done.stdout)).get("core") else "native"

    def git(self, *words: str, code: int = 0) -> str:
        names = {"NAME": "A", "EMAIL": "a@example.org"}
        who = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in names.items()}
        return self.run(
            *words, program="git", code=code, GIT_CONFIG_GLOBAL="/dev/null", **who
        ).stdout

    def commit(self, message: str = "all") -> None:
        if not (self.folder / ".git").exists():
            self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)


def _metrics(stdout: str) -> str:
    """The old one's settings print on stdout, before its metrics."""
    return stdout[stdout.index("{") :]


def adopt(
    where: Path,
    *words: str,
    code: int = 0,
    before: tuple[str, ...] = (),
    stdin: Any = subprocess.DEVNULL,
) -> "subprocess.CompletedProcess[str]":
    """`hearing-updater adopt`, by our own interpreter; a path alone is adopted without asking."""
    done = subprocess.run(
        [*before, sys.executable, "-m", "updaters.cli", "adopt", *words, str(where)],
        cwd=where.parent,
        env={
            **environment(where.parent, "http://127.0.0.1:9"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            # As in a hook of another repository.
            "GIT_DIR": "/nowhere",
        },
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done
