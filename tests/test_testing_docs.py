"""Every test in `docs/testing.md`, run as users would: in a suite of its own, with the plugin."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parent.parent / "docs" / "testing.md"


def test_the_tests_on_the_page_pass(pytester: pytest.Pytester) -> None:
    conftest, *blocks = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S
    )
    assert len(blocks) == 9
    pytester.makeconftest(conftest)
    for number, block in enumerate(blocks):
        (pytester.path / f"test_page_{number}.py").write_text(block, encoding="utf-8")
    done = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "--strict-markers")
    done.assert_outcomes(passed=len(blocks))


def test_the_second_one_has_ten_lines() -> None:
    """The plan calls it hard to test."""
    (block,) = re.findall(
        r"^```python\n((?:(?!```).)*def test_rollback.*?)^```",
        PAGE.read_text(encoding="utf-8"),
        re.M | re.S,
    )
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
