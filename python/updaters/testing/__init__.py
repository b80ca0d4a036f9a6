"""A pytest plugin for suites that make the updater fail on purpose.

Opt in with `pytest_plugins = ["updaters.testing"]` in the topmost `conftest.py`. Then there are

- `congress_api`: the sandbox, with faults to order,
- `hearing_db`: a database that holds all that it serves,
- `updater`, bound to both, and `make_updater(db=None, *, cls=DailyUpdater, **settings)`,
- `inject`: makes a record, a batch, a commit, a rollback, the API or the disk fail,

and to import `snapshot`, `assert_unchanged`, `assert_sound`. The marker `hearings(meetings=60,
seed=1, congress=119, journal_mode="wal", legacy=False)` says what API and database hold.
`docs/testing.md` shows it all.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from updaters.sandbox import Sandbox
from updaters.testing.blocks import Block
from updaters.testing.databases import Filled, Kind, build, clean_environment
from updaters.testing.inject import ApiFault, Fault, Inject, Locked
from updaters.testing.snapshots import (
    Snapshot,
    Unchanged,
    assert_sound,
    assert_unchanged,
    snapshot,
)

try:
    import pytest
except ImportError as exc:
    raise ImportError(
        "updaters.testing needs pytest: pip install 'hearing-updater[testing]'"
    ) from exc

if TYPE_CHECKING:
    from updaters.daily_updater import DailyUpdater

__all__ = [
    "ApiFault",
    "Fault",
    "Inject",
    "Locked",
    "MakeUpdater",
    "Snapshot",
    "Unchanged",
    "assert_sound",
    "assert_unchanged",
    "snapshot",
]

MakeUpdater: TypeAlias = "Callable[..., DailyUpdater]"

#: What `make_updater` hands to the constructor; everything else is a setting.
_ARGUMENTS = ("congress", "lookback_days", "update_mode", "components")
#: Longer than the sandbox's meetings are old.
_LOOKBACK_DAYS = 60


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line(
        "markers",
        "hearings(meetings=60, seed=1, congress=119, journal_mode='wal', legacy=False): "
        "what congress_api serves and hearing_db holds",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """No fault outlives its test, and none is made for nothing."""
    try:
        result = yield
    except BaseException:
        Block.unused()
        raise
    finally:
        # Before updaters are closed, which writes.
        Block.end_all()
    if unused := Block.unused():
        raise AssertionError(f"made, but never begun by 'with' or arm(): {', '.join(unused)}")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """What a set-up that failed left is no matter of the next test."""
    try:
        return (yield)
    finally:
        Block.end_all()
        Block.unused()


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return Filled(lambda: tmp_path_factory.mktemp("filled"))


@pytest.fixture
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, and nobody's settings."""
    clean_environment(monkeypatch.delenv)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def _kind(request: pytest.FixtureRequest) -> Kind:
    marker = request.node.get_closest_marker("hearings")
    return Kind.of(dict(marker.kwargs)) if marker else Kind()


@pytest.fixture
def congress_api(_kind: Kind, _filled: Filled) -> Iterator[Sandbox]:
    """The API: an `updaters.sandbox.Sandbox` on a free port. What it serves at first is what
    `hearing_db` holds; `congress_api.change(10)` changes ten meetings."""
    with _kind.serve(_filled.now) as api:
        yield api


@pytest.fixture
def hearing_db(_kind: Kind, _filled: Filled, _isolated: Path) -> Path:
    """The path of a database of the test's own, filled by a run against the API."""
    return _filled.copy(_kind, _isolated / "database.db")


@pytest.fixture
def make_updater(_isolated: Path, _kind: Kind, congress_api: Sandbox) -> Iterator[MakeUpdater]:
    """`make_updater(db=None, *, cls=DailyUpdater, **settings)`: an updater of the database `db`
    (default: `database.db` in the test's folder), bound to `congress_api`, batches on. Neither the
    checkout's settings nor its notifier are used: give them to the updater to test them.

    `congress`, `lookback_days` (60), `update_mode` and `components` go to the constructor;
    `wait_seconds` is how long it waits for another program's lock (30); every other name is a
    setting. Updaters are closed when the test is over.
    """
    from updaters.daily_updater import DailyUpdater
    from updaters.database import Database

    opened: list[Database] = []

    def make(
        db: Any = None,
        *,
        cls: "type[DailyUpdater] | None" = None,
        wait_seconds: float | None = None,
        **options: Any,
    ) -> DailyUpdater:
        arguments = {name: options.pop(name) for name in _ARGUMENTS if name in options}
        arguments = {"congress": _kind.congress, "lookback_days": _LOOKBACK_DAYS, **arguments}
        path = db or _isolated / "database.db"
        updater = build(cls or DailyUpdater, path, congress_api, **arguments)
        if wait_seconds is not None:
            updater.db = Database(lambda: updater.settings.database_path, wait_seconds=wait_seconds)
        opened.append(updater.db)
        for name, value in options.items():
            if not hasattr(updater.settings, name):
                raise TypeError(f"make_updater: there is no setting '{name}'")
            setattr(updater.settings, name, value)
        return updater

    yield make
    for database in opened:
        database.close()


@pytest.fixture
def updater(make_updater: MakeUpdater, hearing_db: Path) -> "DailyUpdater":
    """A `DailyUpdater` of `hearing_db`, bound to `congress_api`, with batches on."""
    return make_updater(hearing_db)


@pytest.fixture
def inject(congress_api: Sandbox) -> Iterator[Inject]:
    """Failures on order: see `updaters.testing.inject.Inject`."""
    faults = Inject(congress_api)
    yield faults
    faults.disarm_all()
