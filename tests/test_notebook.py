"""`examples/metrics.ipynb` runs from top to bottom, and is kept without its outputs."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "examples" / "metrics.ipynb"


@pytest.fixture
def notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def test_it_is_kept_without_outputs(notebook: Any) -> None:
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
        assert not cell.metadata
    # Nothing of the machine that it was written on.
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def test_it_runs_from_top_to_bottom(
    notebook: Any, clean_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A real database that is named must not be what it works on, nor a proxy what it asks.
    monkeypatch.setenv("DATABASE_PATH", str(clean_env / "mine.db"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("IPYTHONDIR", str(clean_env / "ipython"))
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(clean_env)}},
    )
    client.execute(env=dict(os.environ))
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    assert [o.text for o in outputs if o.get("name") == "stderr"] == []
    shown = [o.data for o in outputs if "data" in o]
    assert sum("image/png" in data for data in shown) == 3
    # The metrics of the first night, as their own table; the rest are frames.
    tables = [data["text/html"] for data in shown if "text/html" in data]
    assert "<caption>One run</caption>" in tables[0]
    assert len(tables) >= 6
    assert {path.name for path in clean_env.iterdir()} <= {"ipython"}
