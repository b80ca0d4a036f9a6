"""Fixtures for everybody. Tests that touch settings start from `clean_env`."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, variables

#: Every variable that this project reads.
VARIABLES = sorted({name for field in Settings.model_fields for name in variables(field)})


@pytest.fixture
def clean_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """None of our variables set, and an empty current folder, which is returned."""
    known = {*VARIABLES, "TRIGGER_SOURCE"}
    for name in list(os.environ):
        if name.upper() in known:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make_settings(clean_env: Path) -> Callable[..., Settings]:
    """Makes settings with the given values; the database lies in the test's folder."""

    def make(**values: Any) -> Settings:
        return Settings(**{"database_path": str(clean_env / "database.db"), **values})

    return make


@pytest.fixture
def root_logging() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    for handler in list(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
