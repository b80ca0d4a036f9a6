"""`updaters.testing`, used as people use it: in suites of their own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SUITE = Path(__file__).parent / "kit" / "suite_faults.py"
OPT_IN = 'pytest_plugins = ["updaters.testing"]\n'


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(OPT_IN)
    return pytester


def run(suite: pytest.Pytester, *words: str) -> pytest.RunResult:
    return suite.runpytest_subprocess("-q", "-p", "no:cacheprovider", "--strict-markers", *words)


def test_each_fault_strikes_and_leaves_no_trace(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A developer's own settings are no business of the tests.
    monkeypatch.setenv("CONGRESS_API_KEY", "a-key-of-a-person")
    monkeypatch.setenv("batch_processing_size", "3")
    (suite.path / ".env").write_text("DATABASE_PATH=precious.db\n")
    shutil.copy(SUITE, suite.path / "test_faults.py")
    done = run(suite)
    assert done.ret == 0, done.stdout.str()
    assert "passed" in done.stdout.str()
    assert not (suite.path / "precious.db").exists()


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
