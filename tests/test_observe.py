"""What a log of health checks tells: how much of the time was watched, and what was seen."""

import json
import random
import tracemalloc
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from helpers_run import World, tool
from test_monitor import look
from updaters.errors import ConfigurationError, UpdaterError
from updaters.health import Finding, Health, collect, observe, render

START = datetime(2025, 10, 11, 8, 0, 3, tzinfo=timezone.utc)
DATABASE = "/data/database.db"


def block(
    at: datetime,
    status: str = "ok",
    *,
    batched: bool | None = False,
    database: str = DATABASE,
    damaged: bool = False,
    violations: int = 0,
    message: str = "a text",
) -> str:
    """A check as it stands in a log."""
    findings = (
        Finding("integrity", "critical" if damaged else "ok", "row 7 lost", {"problems": 1}),
        Finding("foreign_keys", "ok", "", {"violations": violations}),
        Finding("last_run", status, message, {"batched": batched, "seconds": 4.5}),
        Finding("log", "ok", "", {"errors": 2, "criticals": 1}),
        Finding("disk", "ok", "", {"free_bytes": 10**9}),
    )
    return render.text(Health(at, database, False, findings))


def hourly(count: int, **options: Any) -> list[str]:
    return [block(START + timedelta(hours=n), **options) for n in range(count)]


def observed(folder: Path, blocks: list[str], hours: float = 48, **options: Any) -> dict[str, Any]:
    file = folder / "health.log"
    file.write_text("".join(blocks))
    return observe(file, hours, **{"now": START + timedelta(days=10), **options})


# --- what is covered --------------------------------------------------------------------------


def test_hourly_checks_cover_the_hours_between_them(tmp_path: Path) -> None:
    seen = observed(tmp_path, hourly(49))
    assert (seen["hours_covered"], seen["covered"], seen["healthy"]) == (48.0, True, True)
    assert (seen["count"], seen["gaps"]) == (49, [])
    seen = observed(tmp_path, hourly(32))
    assert (seen["hours_covered"], seen["covered"], seen["healthy"]) == (31.0, False, False)


def test_the_hours_are_those_before_the_newest_check(tmp_path: Path) -> None:
    seen = observed(tmp_path, hourly(100))
    assert (seen["hours_covered"], seen["count"]) == (48.0, 49)
    assert seen["first"] == (START + timedelta(hours=51)).isoformat()
    assert seen["last"] == (START + timedelta(hours=99)).isoformat()
    assert seen["last_age_hours"] == 240 - 99


def test_a_check_that_is_late_by_seconds_costs_nothing(tmp_path: Path) -> None:
    late = random.Random(1)
    times = [START + timedelta(hours=n, seconds=late.randint(0, 50)) for n in range(60)]
    seen = observed(tmp_path, [block(at) for at in times])
    assert (seen["hours_covered"], seen["covered"]) == (48.0, True)


def test_two_minutes_may_be_missing_and_five_may_not(tmp_path: Path) -> None:
    for minutes, covered in ((2, True), (5, False)):
        first = block(START + timedelta(minutes=minutes))
        assert observed(tmp_path, [first, *hourly(49)[1:]])["covered"] is covered
    # Of a short time, less.
    blocks = [block(START + timedelta(minutes=2)), block(START + timedelta(hours=1))]
    assert observed(tmp_path, blocks, hours=1)["covered"] is False


def test_a_check_stands_for_ninety_minutes_at_most(tmp_path: Path) -> None:
    times = [START + timedelta(hours=n) for n in (0, 1, 2.5, 12.5, 13.5)]
    seen = observed(tmp_path, [block(at) for at in times], hours=13.5)
    assert seen["hours_covered"] == 1 + 1.5 + 1.5 + 1
    assert seen["covered"] is False
    assert seen["gaps"] == [
        {"from": times[2].isoformat(), "to": times[3].isoformat(), "minutes": 600.0}
    ]
    seen = observed(tmp_path, [block(at) for at in times], hours=13.5, max_gap_minutes=600)
    assert (seen["hours_covered"], seen["covered"], seen["gaps"]) == (13.5, True, [])


def test_a_check_before_the_hours_stands_for_their_beginning_only_while_it_lasts(
    tmp_path: Path,
) -> None:
    times = [START + timedelta(hours=n) for n in (0, 1, 2)]
    assert observed(tmp_path, [block(at) for at in times], hours=1.5)["hours_covered"] == 1.5
    times = [START + timedelta(hours=n) for n in (0, 5, 6)]
    assert observed(tmp_path, [block(at) for at in times], hours=5)["hours_covered"] == 1.5


def test_an_empty_log_and_one_check_cover_nothing(tmp_path: Path) -> None:
    seen = observed(tmp_path, [])
    assert (seen["count"], seen["hours_covered"], seen["covered"]) == (0, 0.0, False)
    assert seen["first"] is seen["last"] is seen["database"] is None
    seen = observed(tmp_path, hourly(1), hours=0.01)
    assert (seen["count"], seen["covered"]) == (1, False)


# --- what was seen ----------------------------------------------------------------------------


def test_statuses_over_time_and_the_worst_findings(tmp_path: Path) -> None:
    blocks = [
        block(START + timedelta(hours=n), status, message=f"number {n}")
        for n, status in enumerate(["ok", "warning", "warning", "critical", "ok", "warning"])
    ]
    seen = observed(tmp_path, blocks, hours=5)
    assert seen["statuses"] == {"ok": 2, "warning": 3, "critical": 1}
    assert [(one["status"], one["checks"]) for one in seen["timeline"]] == [
        ("ok", 1),
        ("warning", 2),
        ("critical", 1),
        ("ok", 1),
        ("warning", 1),
    ]
    first, second = seen["worst"]
    assert (first["status"], first["count"], first["message"]) == ("critical", 1, "number 3")
    assert (second["status"], second["count"], second["message"]) == ("warning", 3, "number 5")
    assert second["first"] == (START + timedelta(hours=1)).isoformat()
    # Covered, but not healthy.
    assert (seen["covered"], seen["healthy"]) == (True, False)
    warned = observed(tmp_path, [block(START, "warning"), block(START + timedelta(hours=1))], 1)
    assert warned["healthy"] is True


def test_corruption_is_a_damaged_file_or_new_broken_references(tmp_path: Path) -> None:
    blocks = [
        block(START, violations=3),
        block(START + timedelta(hours=1), violations=3),
        block(START + timedelta(hours=2), violations=5),
        block(START + timedelta(hours=3), damaged=True, violations=5),
        block(START + timedelta(hours=4), violations=2),
    ]
    seen = observed(tmp_path, blocks)
    assert [one["message"] for one in seen["corruption"]] == [
        "broken references rose from 3 to 5",
        "row 7 lost",
    ]
    assert [one["integrity"] for one in seen["checks"]] == ["ok", "ok", "ok", "damaged", "ok"]


def test_a_warning_of_the_integrity_is_no_corruption(tmp_path: Path) -> None:
    findings = (
        Finding("integrity", "warning", "not checked", {}),
        Finding("database", "warning", "locked", {"problem": "locked"}),
    )
    seen = observed(tmp_path, [render.text(Health(START, DATABASE, False, findings))])
    assert seen["corruption"] == []
    assert [one["name"] for one in seen["worst"]] == ["integrity", "database"]


def test_the_phases_follow_the_mode_of_the_last_run(tmp_path: Path) -> None:
    modes = [None, *[False] * 4, None, *[True] * 5]
    blocks = [block(START + timedelta(hours=n), batched=mode) for n, mode in enumerate(modes)]
    seen = observed(tmp_path, blocks, hours=10)
    assert [(one["mode"], one["checks"], one["hours_covered"]) for one in seen["phases"]] == [
        ("unknown", 1, 1.0),
        # The check that could not tell belongs to the plain ones before it.
        ("plain", 5, 5.0),
        ("batch", 5, 4.0),
    ]
    assert [one["batched"] for one in seen["checks"]] == modes


def test_real_checks_come_back_with_all_that_is_plotted(filled: World) -> None:
    file = filled.folder / "logs" / "trial_gate_health.log"
    now = datetime.now()
    collect.append(file, render.text(look(filled.path, now=now)))
    collect.append(file, render.text(look(filled.folder / "no.db", now=now + timedelta(seconds=1))))
    later = now + timedelta(hours=1)
    collect.append(file, render.text(look(filled.path, now=later)))
    seen = observe(file, 1, now=later.astimezone())
    assert (seen["healthy"], seen["database"]) == (True, str(filled.path))
    assert (seen["count"], seen["other_databases"]) == (2, 1)
    check = seen["checks"][-1]
    assert (check["integrity"], check["foreign_keys"], check["hearings"]) == ("ok", 0, 3)
    assert (check["log_errors"], check["running"], check["deferred"]) == (0, False, 0)
    assert check["free_bytes"] > 0 and check["database_bytes"] > 0
    assert check["last_run_seconds"] > 0 and check["last_run_success"] is True
    assert (check["batched"], check["batches"], check["batches_failed"]) == (True, 1, 0)
    assert json.loads(json.dumps(seen)) == seen
    missing = observe(file, 1, database=filled.folder / "no.db", now=later.astimezone())
    assert (missing["count"], missing["checks"][0]["integrity"]) == (1, None)


def test_a_file_that_is_no_database_any_more_is_corruption(filled: World) -> None:
    file = filled.folder / "health.log"
    filled.path.write_bytes(b"overwritten by something else " * 500)
    collect.append(file, render.text(look(filled.path)))
    [incident] = observe(file, 48)["corruption"]
    assert "not a SQLite database" in incident["message"]


# --- logs as they come ------------------------------------------------------------------------

SCRIPT = """=== Trial Gate Health Check: Mon Oct 13 21:25:58 EDT 2025 ===
ok
Recent errors:
2025-10-13 21:25:58,340 - updaters.daily_updater - ERROR - Record: {"time":"2025"}
Filesystem 1K-blocks Used Available Use% Mounted on
/dev/sda1 100 50 50 50% /
=== End Health Check ===
"""


def test_blocks_of_the_plans_own_script_stand_between_ours(tmp_path: Path) -> None:
    blocks = [each + SCRIPT for each in hourly(49)]
    seen = observed(tmp_path, blocks)
    assert (seen["covered"], seen["count"]) == (True, 49)
    assert (seen["without_record"], seen["unreadable"]) == (49, 0)


def test_a_torn_end_costs_that_check_alone(tmp_path: Path) -> None:
    whole = "".join(hourly(5))
    last = block(START + timedelta(hours=5))
    for cut in range(1, len(last)):
        seen = observed(tmp_path, [whole, last[:cut]])
        assert seen["count"] in (5, 6)
        if seen["count"] == 5:
            assert seen["unreadable"] + seen["without_record"] <= 1
    collect.append(tmp_path / "health.log", block(START + timedelta(hours=6)))
    assert observe(tmp_path / "health.log", 48, now=START + timedelta(days=1))["count"] >= 6


@pytest.mark.parametrize(
    "record",
    [
        '{"time":"2025-10-11T09:00:00"}',
        '{"time":"2025-10-11T09:00:00+00:00"}',
        '{"time":"2025-10-11T09:00:00+00:00","status":"fine","database":"x","findings":[]}',
        '{"time":"2025-10-11T09:00:00+00:00","status":[],"database":"x","findings":[]}',
        '{"time":"2025-10-11T09:00:00+00:00","status":"ok","database":"x","findings":[7]}',
        '{"time":"2025-99-99T09:00:00+00:00","status":"ok"}',
        "[" * 100_000,
        "\x00\xff",
        "{}",
    ],
)
def test_a_record_that_is_not_ours_is_passed_over(tmp_path: Path, record: str) -> None:
    seen = observed(tmp_path, [*hourly(3), f"Record: {record}\n"])
    assert (seen["count"], seen["unreadable"]) == (3, 1)


def test_order_and_duplicates_do_not_matter(tmp_path: Path) -> None:
    blocks = hourly(49)
    random.Random(2).shuffle(blocks)
    worse = [block(START, "warning"), block(START + timedelta(hours=1), "critical")]
    seen = observed(tmp_path, [*blocks, *blocks[:7], *worse])
    assert (seen["hours_covered"], seen["count"], seen["duplicates"]) == (48.0, 49, 9)
    assert seen["unsorted"] > 0
    times = [check["time"] for check in seen["checks"]]
    assert times == sorted(times)
    # Of two checks of one moment the worse one counts.
    assert [check["status"] for check in seen["checks"][:3]] == ["warning", "critical", "ok"]


def test_checks_of_two_databases_in_the_same_second_are_no_duplicates(tmp_path: Path) -> None:
    both = [
        block(START + timedelta(hours=n), database=name)
        for n in range(49)
        for name in ("/data/b.db", "/data/a.db")
    ]
    for name in ("/data/a.db", "/data/b.db"):
        seen = observed(tmp_path, both, database=name)
        assert (seen["count"], seen["hours_covered"], seen["duplicates"]) == (49, 48.0, 0)
        assert (seen["database"], seen["other_databases"]) == (name, 49)
    # Of one moment, the one that stands last was checked last.
    assert observed(tmp_path, both)["database"] == "/data/a.db"
    worse = block(START, "warning", database="/data/b.db")
    seen = observed(tmp_path, [*both, worse], database="/data/b.db")
    assert (seen["duplicates"], seen["statuses"]["warning"]) == (1, 1)


def test_the_end_of_summer_time_is_no_gap_and_no_overlap(tmp_path: Path) -> None:
    def local(at: datetime) -> datetime:
        switched = at >= datetime(2025, 11, 2, 6, tzinfo=timezone.utc)
        return at.astimezone(timezone(timedelta(hours=-5 if switched else -4)))

    begin = datetime(2025, 11, 1, 12, tzinfo=timezone.utc)
    times = [local(begin + timedelta(hours=n)) for n in range(49)]
    # 01:00 is there twice.
    assert len({at.replace(tzinfo=None) for at in times}) == 48
    seen = observed(tmp_path, [block(at) for at in times], now=begin + timedelta(days=3))
    assert (seen["hours_covered"], seen["count"], seen["gaps"]) == (48.0, 49, [])
    assert seen["first"].endswith("-04:00") and seen["last"].endswith("-05:00")


def test_a_clock_that_was_ahead_for_a_while_does_not_move_the_hours(tmp_path: Path) -> None:
    now = START + timedelta(hours=48, minutes=1)
    blocks = [*hourly(49), block(datetime(2031, 1, 1, tzinfo=timezone.utc))]
    seen = observed(tmp_path, blocks, now=now)
    assert (seen["hours_covered"], seen["future"], seen["count"]) == (48.0, 1, 49)


def test_a_huge_log_is_read_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("updaters.health.records.MANY", 100)
    file = tmp_path / "health.log"
    with file.open("w") as out:
        for n in range(20_000):
            out.write(block(START + timedelta(minutes=10 * n)))
        out.write("Record: " + "x" * 20_000_000)
    tracemalloc.start()
    try:
        seen = observe(file, 48, now=START + timedelta(days=365))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (seen["count"], seen["covered"], seen["unreadable"]) == (289, True, 1)
    assert peak < 8_000_000


def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UpdaterError, match="no check was collected"):
        observe(tmp_path / "no.log", 48)
    with pytest.raises(UpdaterError, match="not a file"):
        observe(tmp_path, 48)


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), 1e9])
def test_hours_that_make_no_sense_are_refused(tmp_path: Path, hours: float) -> None:
    with pytest.raises(ConfigurationError, match="hours"):
        observe(tmp_path, hours)


# --- the command ------------------------------------------------------------------------------


def test_the_command_says_what_is_covered_and_exits_by_it(filled: World) -> None:
    file = filled.folder / "logs" / "trial_gate_health.log"
    file.parent.mkdir()
    file.write_text("".join(hourly(32)) + SCRIPT)
    done = tool(filled, "observe", "--hours", "48", code=1)
    assert "covers 31.0 of 48 hours" in done.stdout
    assert "1 block" in done.stdout
    done = tool(filled, "observe", "--hours", "31")
    assert "covers 31.0 of 31 hours" in done.stdout
    with file.open("a") as out:
        out.write(block(START + timedelta(hours=32), "critical", damaged=True))
    done = tool(filled, "observe", "--hours", "31", code=1)
    assert "Corruption:" in done.stdout and "row 7 lost" in done.stdout


def test_the_command_counts_one_as_one(filled: World) -> None:
    file = filled.folder / "health.log"
    blocks = [*hourly(2), "Record: {}\n", block(START), block(START, database="/other.db")]
    file.write_text("".join(blocks))
    done = tool(filled, "observe", "--hours", "1", "--log", "health.log", "--db", DATABASE)
    assert "  1 record torn, or not ours\n" in done.stdout
    assert "  1 check of a moment that was there already\n" in done.stdout
    assert "  1 check of other databases\n" in done.stdout


def test_the_command_prints_json(filled: World) -> None:
    file = filled.folder / "health.log"
    file.write_text("".join(hourly(3)))
    done = tool(filled, "observe", "--hours", "2", "--log", "health.log", "--json")
    told = json.loads(done.stdout)
    assert (told["hours_covered"], told["count"], told["healthy"]) == (2.0, 3, True)
    done = tool(filled, "observe", "--log", "health.log", "--db", "other.db", "--json", code=1)
    assert json.loads(done.stdout)["other_databases"] == 3


def test_bad_usage_of_the_command(filled: World) -> None:
    for words, says in (
        (("--hours", "0"), "hours 0"),
        (("--hours", "many"), "--hours"),
        (("--log", ""), "--log"),
    ):
        done = tool(filled, "observe", *words, code=2)
        assert done.stdout == "" and says in done.stderr
    done = tool(filled, "observe", "--log", "no.log", code=1)
    assert "no.log is not there" in done.stderr
