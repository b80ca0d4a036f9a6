"""The command line's logging."""

import io
import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path

from config.settings import Settings
from updaters.logs import mask, set_up_logging

MakeSettings = Callable[..., Settings]
LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - updaters\.daily_updater - INFO - a message\n"
)


def test_lines_go_to_stderr_and_to_the_file_of_the_day(
    make_settings: MakeSettings, clean_env: Path, root_logging: logging.Logger
) -> None:
    stream = io.StringIO()
    file = set_up_logging(make_settings(), stream=stream)
    logging.getLogger("updaters.daily_updater").info("a %s", "message")
    assert LINE.fullmatch(stream.getvalue())
    assert file is not None
    assert re.fullmatch(r"logs/daily_update_\d{8}\.log", str(file))
    assert file.read_text() == stream.getvalue()


def test_the_level_is_honoured(make_settings: MakeSettings, root_logging: logging.Logger) -> None:
    stream = io.StringIO()
    set_up_logging(make_settings(log_level="warning"), stream=stream)
    logging.getLogger("updaters.store").info("quiet")
    logging.getLogger("updaters.store").warning("loud")
    assert stream.getvalue().endswith(" - updaters.store - WARNING - loud\n")
    assert "quiet" not in stream.getvalue()


def test_quiet_spares_stderr_not_the_file(
    make_settings: MakeSettings, root_logging: logging.Logger
) -> None:
    stream = io.StringIO()
    file = set_up_logging(make_settings(), stream=stream, quiet=True)
    logging.getLogger("updaters").info("detail")
    assert stream.getvalue() == ""
    assert file is not None
    assert "detail" in file.read_text()


def test_secrets_are_masked_wherever_they_stand(
    make_settings: MakeSettings, root_logging: logging.Logger
) -> None:
    stream = io.StringIO()
    settings = make_settings(
        api_key="secret-key", notification_webhook_url="https://example.org/secret-path"
    )
    file = set_up_logging(settings, stream=stream)
    logger = logging.getLogger("updaters.api")
    logger.info("message secret-key")
    logger.info("argument %s", "secret-key")
    logger.info("hook %s", settings.notification_webhook_url)
    logger.info('"POST /secret-path HTTP/1.1" 200')
    try:
        raise ValueError("raised with secret-key")
    except ValueError:
        logger.exception("failed")
    assert file is not None
    for text in (stream.getvalue(), file.read_text()):
        assert "secret-key" not in text
        assert "secret-path" not in text
        assert text.count("****") == 6
        assert "Traceback" in text


def test_a_record_is_one_line_whatever_is_in_it(
    make_settings: MakeSettings, root_logging: logging.Logger
) -> None:
    stream = io.StringIO()
    file = set_up_logging(make_settings(), stream=stream)
    logger = logging.getLogger("updaters")
    logger.info("opened %s", "a\nb\r\x1b[31m\u2028\udcff.db")
    assert stream.getvalue().endswith(r" - opened a\nb\r\x1b[31m\u2028\udcff.db" + "\n")
    try:
        raise ValueError("in\x1b[31mside")
    except ValueError:
        logger.exception("failed")
    assert file is not None
    for text in (stream.getvalue(), file.read_text()):
        # Below a record, a traceback keeps its lines.
        assert "- failed\nTraceback (most recent call last):\n" in text
        assert text.endswith(r"ValueError: in\x1b[31mside" + "\n")


def test_a_key_in_a_url_is_masked_whosever_it_is() -> None:
    assert mask("GET /v3?api_key=abcdef&limit=1", []) == "GET /v3?api_key=****&limit=1"


def test_a_folder_that_cannot_be_made_is_one_warning(
    make_settings: MakeSettings, clean_env: Path, root_logging: logging.Logger
) -> None:
    (clean_env / "logs").write_text("a file where the folder should be")
    stream = io.StringIO()
    assert set_up_logging(make_settings(), stream=stream) is None
    logging.getLogger("updaters").info("goes on")
    assert stream.getvalue().count("WARNING") == 1
    assert stream.getvalue().endswith("goes on\n")


def test_setting_up_twice_does_not_double_lines(
    make_settings: MakeSettings, root_logging: logging.Logger
) -> None:
    root_logging.addHandler(logging.StreamHandler(sys.stderr))
    stream = io.StringIO()
    set_up_logging(make_settings(), stream=io.StringIO())
    set_up_logging(make_settings(), stream=stream)
    logging.getLogger("updaters").info("once")
    assert stream.getvalue().count("once") == 1
    assert not any(
        type(h) is logging.StreamHandler and h.stream is sys.stderr for h in root_logging.handlers
    )
