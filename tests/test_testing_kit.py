"""`updaters.testing`, used as people use it: in suites of their own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SUITES = Path(__file__).parent / "kit"
OPT_IN = 'pytest_plugins = ["updaters.testing"]\n'


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(OPT_IN)
    return pytester


def run(suite: pytest.Pytester, *words: str) -> pytest.RunResult:
    return suite.runpytest_subprocess("-q", "-p", "no:cacheprovider", "--strict-markers", *words)


@pytest.mark.parametrize("name", ["suite_faults", "suite_promises"])
def test_each_fault_strikes_and_leaves_no_trace(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # A developer's own settings are no business of the tests.
    monkeypatch.setenv("CONGRESS_API_KEY", "a-key-of-a-person")
    monkeypatch.setenv("batch_processing_size", "3")
    (suite.path / ".env").write_text("DATABASE_PATH=precious.db\n")
    shutil.copy(SUITES / f"{name}.py", suite.path / "test_kit.py")
    done = run(suite)
    assert done.ret == 0, done.stdout.str()
    assert done.parseoutcomes().keys() == {"passed"}
    assert not (suite.path / "precious.db").exists()


def test_in_a_checkout_neither_its_settings_nor_its_notifier_are_used(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings need variables that a test has not; its notifier would tell people."""
    told = suite.path / "told.txt"
    suite.makepyfile(
        **{
            "config/settings": """
                from pydantic_settings import BaseSettings
                class Settings(BaseSettings):
                    congress_api_key: str
                    of_our_own: str
                    notification_enabled: bool = True
                settings = Settings()
            """,
            "notifications": f"""
                class Notifier:
                    def send(self, *words, **more):
                        open({str(told)!r}, "a").write(repr(words))
                        return True
                    notify_update_failure = notify_high_error_rate = send
                def get_notifier():
                    return Notifier()
            """,
            "test_it": """
                import pytest

                @pytest.mark.hearings(meetings=8)
                def test(updater, congress_api, inject):
                    congress_api.change(3)
                    with inject.commit(1):
                        assert not updater.run_daily_update()["success"]
                    assert not updater.settings.notification_enabled
            """,
        }
    )
    (suite.path / ".env").write_text("CONGRESS_API_KEY=a-key\nOF_OUR_OWN=x\n")
    monkeypatch.setenv("PYTHONPATH", str(suite.path))
    monkeypatch.setenv("NOTIFICATION_ENABLED", "true")
    run(suite).assert_outcomes(passed=1)
    assert not told.exists()


def test_what_is_made_and_never_begun_fails_its_test_and_no_other(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest
        from updaters.testing import assert_unchanged

        pytestmark = pytest.mark.hearings(meetings=8)

        def test_forgotten(inject, hearing_db):
            inject.batch(2)
            assert_unchanged(hearing_db)

        def test_raises(inject):
            inject.commit(3)
            raise KeyError("mine")

        @pytest.fixture
        def broken(inject):
            inject.commit(4)
            inject.commit(5).arm()
            raise KeyError("in the set-up")

        def test_broken(broken): pass

        def test_other(inject, updater, congress_api):
            congress_api.change(2)
            assert updater.run_daily_update()["success"]
        """
    )
    done = run(suite)
    done.assert_outcomes(passed=1, failed=2, errors=1)
    done.stdout.fnmatch_lines(
        ["E*AssertionError: made, but never begun by 'with' or arm(): batch 2, assert_unchanged*"]
    )
    assert "commit of batch 3" not in done.stdout.str()


def test_a_fault_that_a_failing_test_left_does_not_reach_the_closing_of_its_updater(
    suite: pytest.Pytester,
) -> None:
    """The fault is set up before the updater, so that its fixture would end after the closing."""
    suite.makepyfile(
        """
        import pytest

        LEFT = []
        pytestmark = pytest.mark.hearings(meetings=8)

        def test_fails(inject, updater, congress_api):
            congress_api.change(2)
            updater.run_daily_update()
            # The closing folds this into the file.
            updater.db.execute("UPDATE hearings SET title = 'x'")
            LEFT.append(inject.disk("io").arm())
            assert False

        def test_next(updater, congress_api):
            assert not LEFT[0].armed
            assert LEFT[0].struck == 0
            congress_api.change(2)
            assert updater.run_daily_update()["success"]
        """
    )
    run(suite).assert_outcomes(passed=1, failed=1)


def test_suites_run_side_by_side(suite: pytest.Pytester) -> None:
    """As the workers of pytest-xdist do: processes of one checkout, started at the same time."""
    suite.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.hearings(meetings=8)

        @pytest.mark.parametrize("number", range(3))
        def test(updater, congress_api, inject, number):
            congress_api.change(4)
            with inject.batch(1):
                assert not updater.run_daily_update()["success"]
            assert updater.run_daily_update()["metrics"]["hearings_updated"] == 4
        """
    )
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    workers = [
        subprocess.Popen(
            [*words, f"--basetemp={suite.path / f'worker{number}'}"],
            cwd=suite.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    for worker in workers:
        told, _ = worker.communicate()
        assert worker.returncode == 0, told
        assert "3 passed" in told


def test_a_wrong_option_of_the_marker_is_named(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        "import pytest\n@pytest.mark.hearings(meeting=3)\ndef test(hearing_db): pass\n"
    )
    done = run(suite)
    done.assert_outcomes(errors=1)
    assert "hearings: no option meeting" in done.stdout.str()


def test_nothing_is_there_without_opting_in(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test(hearing_db): pass\n")
    done = run(pytester)
    done.assert_outcomes(errors=1)
    assert "fixture 'hearing_db' not found" in done.stdout.str()


def test_without_pytest_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['pytest'] = None\nimport updaters.testing\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: updaters.testing needs pytest: pip install 'hearing-updater[testing]'"
    )
