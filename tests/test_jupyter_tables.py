"""How `UpdateMetrics` and `BatchResult` show themselves in Jupyter."""

from datetime import timedelta
from html.parser import HTMLParser

from updaters.values import BatchResult, UpdateMetrics


class Table(HTMLParser):
    """The cells of a table by their row's name; every tag is noted."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: dict[str, list[str]] = {}
        self.tags: set[str] = set()
        self._name = self._in = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self._in = tag if tag != "br" else self._in

    def handle_data(self, data: str) -> None:
        if self._in == "th":
            self._name = data
            self.rows[data] = []
        elif self._in == "td":
            self.rows[self._name].append(data)


PLAIN_TAGS = {"table", "caption", "tbody", "tr", "th", "td", "br"}


def test_metrics_are_a_table_of_everything_in_them() -> None:
    metrics = UpdateMetrics()
    metrics.end_time = metrics.start_time + timedelta(seconds=3.5)
    metrics.hearings_added = 7
    metrics.batch_processing_enabled = True
    metrics.batch_count = 3
    metrics.batch_errors = [{"batch": 2, "error": "Validation failed", "issues": ["a", "b"]}]
    metrics.deferred = [{"event_id": "118", "reason": "answered 500"}]
    rows = Table(metrics._repr_html_()).rows
    assert rows["duration_seconds"] == ["3.5"]
    assert (rows["hearings_added"], rows["batch_count"]) == (["7"], ["3"])
    assert rows["validation_passed"] == ["-"]
    assert rows["errors"] == ["none"]
    assert rows["batch_errors"] == ["batch: 2, error: Validation failed, issues: a; b"]
    assert rows["deferred"] == ["event_id: 118, reason: answered 500"]


def test_a_run_under_way_and_one_without_batches_show_what_there_is() -> None:
    rows = Table(UpdateMetrics()._repr_html_()).rows
    assert rows["end_time"] == ["-"] and "batch_count" not in rows and "enabled" not in rows


def test_a_batch_result_is_a_table() -> None:
    rows = Table(BatchResult(False, 0, "boom", ["one", "two"])._repr_html_()).rows
    assert rows == {
        "success": ["no"],
        "records": ["0"],
        "error": ["boom"],
        "issues": ["one", "two"],
    }


def test_every_text_is_escaped() -> None:
    evil = "<script>alert('x')</script><img src=x onerror=\"y\">&amp;"
    metrics = UpdateMetrics()
    metrics.errors = [evil]
    metrics.batch_processing_enabled = True
    metrics.batch_errors = [{evil: evil, "issues": [evil]}]
    for html in (metrics._repr_html_(), BatchResult(False, 0, evil, [evil])._repr_html_()):
        assert Table(html).tags <= PLAIN_TAGS
    assert Table(metrics._repr_html_()).rows["errors"] == [evil]


def test_long_lists_and_long_texts_are_cut() -> None:
    result = BatchResult(False, 0, "x" * 5000, [f"issue {n}" for n in range(25)])
    rows = Table(result._repr_html_()).rows
    assert rows["issues"][:10] == [f"issue {n}" for n in range(10)]
    assert rows["issues"][10:] == ["... and 15 more"]
    assert rows["error"] == ["x" * 400 + "... (4600 characters more)"]


def test_the_colours_are_the_themes_own() -> None:
    html = UpdateMetrics()._repr_html_() + BatchResult(True)._repr_html_()
    assert "color" not in html and "background" not in html and "#" not in html
