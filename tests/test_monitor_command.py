"""`hearing-updater monitor`: what it prints, appends, exports, and puts into a crontab."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from helpers_run import World, tool
from test_full_disk import small_disk
from test_monitor import line, log, look
from updaters.cli import build_parser
from updaters.cli.monitor import cron_line
from updaters.errors import ConfigurationError, UpdaterError
from updaters.health import Finding, Health, collect, render

#: Enough disk everywhere.
ROOM = ("--min-free", "0")


@pytest.fixture
def world(filled: World) -> World:
    return filled


# --- what it prints ---------------------------------------------------------------------------


def test_the_text_is_a_block_as_the_plans_script_prints(world: World) -> None:
    log(world.folder, line("ERROR", "=== End Health Check ==="))
    done = tool(world, "monitor", *ROOM, code=1)
    lines = done.stdout.splitlines()
    assert re.fullmatch(
        r"=== Trial Gate Health Check: \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \S+ \d{4} ===", lines[0]
    )
    assert lines[1] == "Overall: warning"
    assert "[ok] integrity: quick_check: ok" in lines
    at = lines.index("Recent errors:")
    assert lines[at + 1].startswith("  20") and lines[at + 1].endswith("End Health Check ===")
    assert lines[-1] == "=== End Health Check ==="
    assert lines.count("=== End Health Check ===") == 1
    [record] = [one for one in lines if one.startswith("Record: ")]
    assert json.loads(record[8:])["exit_code"] == 1
    assert done.stderr == ""


def test_json_is_all_that_stdout_gets(world: World) -> None:
    told = json.loads(tool(world, "monitor", "--json", "--full", *ROOM).stdout)
    assert (told["status"], told["exit_code"], told["full"]) == ("ok", 0, True)
    assert told["database"] == str(world.path)


def test_the_exit_code_is_how_bad_it_is(world: World) -> None:
    tool(world, "monitor", *ROOM, code=0)
    tool(world, "monitor", "--db", "no.db", *ROOM, code=2)
    tool(world, "monitor", "--min-free", "1e12", code=2)
    world.do("UPDATE update_logs SET start_time = datetime(start_time, '-20 hours')")
    tool(world, "monitor", *ROOM, code=0)
    tool(world, "monitor", "--max-age", "2", *ROOM, code=1)


@pytest.mark.parametrize(
    "words",
    [
        ("--max-age", "-1"),
        ("--max-age", "nan"),
        ("--min-free", "inf"),
        ("--min-free", "much"),
        ("--log", ""),
        ("--prometheus", " "),
        ("--loud",),
    ],
)
def test_bad_usage_is_2_as_well_but_says_so_on_stderr_only(
    world: World, words: tuple[str, ...]
) -> None:
    done = tool(world, "monitor", *words, code=2)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words[0] in done.stderr


# --- the log ----------------------------------------------------------------------------------


def test_the_log_gets_the_same_block_whatever_stdout_gets(world: World) -> None:
    file = world.folder / "deep" / "health.log"
    first = tool(world, "monitor", "--log", str(file), *ROOM).stdout
    assert file.read_text() == first
    tool(world, "monitor", "--json", "--log", str(file), *ROOM)
    blocks = file.read_text().split("=== End Health Check ===\n")
    assert len(blocks) == 3 and blocks[2] == ""
    kinds = [[re.split(r"[:{]", row)[0] for row in block.splitlines()] for block in blocks[:2]]
    assert kinds[0] == kinds[1]


def test_a_torn_line_is_ended_before_the_next_check(tmp_path: Path) -> None:
    file = tmp_path / "health.log"
    file.write_text('whole\nRecord: {"time":')
    collect.append(file, "block\n")
    assert file.read_text() == 'whole\nRecord: {"time":\nblock\n'


def test_checks_that_write_at_once_do_not_mix(tmp_path: Path) -> None:
    file = tmp_path / "health.log"
    code = (
        "import sys\nfrom updaters.health import collect\n"
        "for n in range(20): collect.append(sys.argv[1], (sys.argv[2] + '\\n') * 2000)\n"
    )
    with ThreadPoolExecutor() as pool:
        words = [[sys.executable, "-c", code, str(file), letter * 60] for letter in "abcd"]
        for done in pool.map(lambda each: subprocess.run(each, check=True), words):
            assert done.returncode == 0
    text = file.read_text()
    assert len(text) == 4 * 20 * 2000 * 61
    blocks = re.findall(r"((.)\2{59}\n)(?:\1){1999}", text)
    assert len(blocks) == 80


def test_a_log_that_another_program_holds_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    file = tmp_path / "health.log"
    monkeypatch.setattr(collect, "PATIENCE", 0.1)
    with file.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with pytest.raises(UpdaterError, match="locked by another program"):
            collect.append(file, "block\n")
    assert file.read_text() == ""


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path, 64):
        file = tmp_path / "health.log"
        collect.append(file, "first\n")
        with pytest.raises(UpdaterError, match=r"health\.log: cannot be written: No space left"):
            collect.append(file, "x" * 200_000)
        assert file.read_text() == "first\n"


def test_what_cannot_be_kept_does_not_hide_what_was_found(world: World) -> None:
    (world.folder / "a-file").touch()
    done = tool(world, "monitor", "--log", "a-file/x.log", "--prometheus", ".", *ROOM, code=1)
    assert "Overall: ok" in done.stdout
    told = done.stderr.splitlines()
    assert len(told) == 2
    assert all(one.startswith("hearing-updater monitor: ") for one in told)
    assert "a-file/x.log: cannot be written" in told[0]


def test_only_the_logs_own_folder_is_made(world: World) -> None:
    done = tool(world, "monitor", "--log", "nonexist/a/b.log", *ROOM, code=1)
    assert "Overall: ok" in done.stdout
    assert "nonexist/a/b.log: cannot be written: No such file or directory" in done.stderr
    assert not (world.folder / "nonexist").exists()
    tool(world, "monitor", "--log", "collected/b.log", *ROOM)
    assert (world.folder / "collected" / "b.log").exists()


# --- Prometheus -------------------------------------------------------------------------------

_SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\} (\S+)')


def parsed(text: str) -> dict[tuple[str, str, str], float]:
    """(metric, database, check) -> value, of text that keeps to the format strictly."""
    assert text.endswith("\n") and not text.endswith("\n\n")
    samples: dict[tuple[str, str, str], float] = {}
    known: list[str] = []
    helped = ""
    for row in text[:-1].split("\n"):
        if row.startswith("# HELP "):
            helped = row.split(" ")[2]
            assert helped not in known, "samples of one metric belong together"
            assert len(row.split(" ")) > 3
        elif row.startswith("# TYPE "):
            assert row == f"# TYPE {helped} gauge"
            known.append(helped)
        else:
            match = _SAMPLE.fullmatch(row)
            assert match, row
            assert match[1] == known[-1]
            labels = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2]))
            key = (match[1], labels.pop("database"), labels.pop("check", ""))
            assert not labels and key not in samples
            samples[key] = float(match[3])
    return samples


def test_the_metrics_keep_to_the_format_and_tell_what_was_found(world: World) -> None:
    world.do("DELETE FROM hearing_committees")
    health = look(world.path)
    samples = parsed(render.prometheus(health))

    def value(name: str, check: str = "") -> float:
        return samples["hearing_updater_" + name, str(world.path), check]

    assert value("health_status") == 0
    assert value("check_status", "integrity") == 0
    assert value("hearings") == 3
    assert value("last_run_success") == value("last_run_batched") == value("recent_batches") == 1
    assert value("running") == value("stale_lock") == value("log_errors") == 0
    assert value("disk_free_bytes") == health.get("disk", "free_bytes")
    [[start]] = [list(row.values()) for row in world.rows("SELECT start_time FROM update_logs")]
    assert value("last_success_timestamp_seconds") == datetime.fromisoformat(start).timestamp()
    assert abs(value("check_timestamp_seconds") - health.time.timestamp()) < 0.01
    later = look(world.path, now=datetime.now() + timedelta(hours=30))
    samples = parsed(render.prometheus(later))
    assert value("health_status") == value("check_status", "last_run") == 1


def test_what_was_not_looked_at_has_no_sample(world: World) -> None:
    samples = parsed(render.prometheus(look(world.folder / "no.db")))
    names = {name for name, _, _ in samples}
    assert "hearing_updater_hearings" not in names
    assert samples["hearing_updater_health_status", str(world.folder / "no.db"), ""] == 2


def test_labels_are_escaped() -> None:
    odd = 'a"b\\c\nd'
    health = Health(datetime.now().astimezone(), odd, False, (Finding(odd, "ok", ""),))
    samples = parsed(render.prometheus(health))
    escaped = r"a\"b\\c\nd"
    assert samples["hearing_updater_check_status", escaped, escaped] == 0


def test_the_metrics_are_put_in_place_at_once_for_everybody_to_read(world: World) -> None:
    file = world.folder / "node" / "hearing.prom"
    file.parent.mkdir()
    old = os.umask(0o077)
    try:
        tool(world, "monitor", "--prometheus", str(file), *ROOM)
        first = file.stat().st_ino
        tool(world, "monitor", "--prometheus", str(file), *ROOM)
    finally:
        os.umask(old)
    # Another file each time: whoever reads the old one reads it to its end.
    assert file.stat().st_ino != first
    assert file.stat().st_mode & 0o777 == 0o644
    assert os.listdir(file.parent) == ["hearing.prom"]
    assert parsed(file.read_text())


def test_metrics_that_cannot_be_written_leave_the_old_ones(tmp_path: Path) -> None:
    with small_disk(tmp_path, 64):
        file = tmp_path / "hearing.prom"
        collect.replace(file, "old\n")
        with pytest.raises(UpdaterError, match="left as it was"):
            collect.replace(file, "x" * 200_000)
        assert os.listdir(tmp_path) == ["hearing.prom"]
        assert file.read_text() == "old\n"


# --- cron -------------------------------------------------------------------------------------


def as_cron_runs_it(printed: str) -> "subprocess.CompletedProcess[str]":
    schedule, command = printed.rstrip("\n")[:10], printed.rstrip("\n")[10:]
    assert schedule == "0 * * * * "
    # What cron does with the rest of the line before the shell sees it.
    assert "%" not in re.sub(r"\\%", "", command)
    return subprocess.run(
        ["/bin/sh", "-c", command.replace(r"\%", "%")],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": "/root"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_line_for_cron_runs_with_nothing_but_what_cron_gives(world: World) -> None:
    printed = tool(world, "monitor", "--print-cron", "--full", *ROOM).stdout
    assert not (world.folder / "logs" / "trial_gate_health.log").exists()
    done = as_cron_runs_it(printed)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    kept = (world.folder / "logs" / "trial_gate_health.log").read_text()
    assert "[ok] integrity: integrity_check: ok" in kept


def test_the_line_for_cron_quotes_what_the_shell_and_cron_would_act_upon(world: World) -> None:
    folder = world.folder / "50% of 'all' $HOME; `date`"
    folder.mkdir()
    shutil.copy(world.path, folder / "my data.db")
    words = ("--db", "my data.db", "--prometheus", "a b.prom", "--max-age", "30", *ROOM)
    done = subprocess.run(
        [sys.executable, "-m", "updaters.cli", "monitor", "--print-cron", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    ran = as_cron_runs_it(done.stdout)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (folder / "logs" / "trial_gate_health.log").exists()
    assert parsed((folder / "a b.prom").read_text())
    assert "--max-age 30" in done.stdout


def test_a_path_that_cannot_stand_in_a_crontab_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("back\\slash.db", "line\nbreak.db"):
        args = build_parser().parse_args(["monitor", "--print-cron"])
        with pytest.raises(ConfigurationError, match="crontab"):
            cron_line(args, name)


def test_without_the_script_the_line_for_cron_names_the_module(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = world.folder / "python"
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    args = build_parser().parse_args(["monitor", "--print-cron"])
    words = shlex.split(cron_line(args, "database.db")[10:])
    assert words[3:7] == [str(python), "-m", "updaters.cli", "monitor"]
