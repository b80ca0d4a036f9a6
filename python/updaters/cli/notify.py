"""`hearing-updater notify-test`: whether notifications arrive, before they are needed."""

import argparse
import contextlib
import logging
import socket
import sys
from typing import Any

from updaters.cli import common
from updaters.errors import UpdaterError


def add_command(commands: Any) -> None:
    """Add `notify-test` to the commands."""
    parser = commands.add_parser(
        "notify-test",
        help="send a test notification",
        description=(
            "Send a test notification as the settings NOTIFICATION_... say, and tell whether it "
            "went out."
        ),
        epilog=f"example:\n  NOTIFICATION_ENABLED=true {common.PROGRAM} notify-test",
    )
    parser.set_defaults(run=run, command="notify-test")


def run(args: argparse.Namespace) -> int:
    """Send it. Raises `UpdaterError`, in one line, where it did not go out."""
    from updaters import notices
    from updaters.logs import set_up_logging
    from updaters.notifier import Notifier, get_notifier
    from updaters.settings import load_settings

    settings = load_settings()
    by_log = settings.notification_type == "log"
    file = set_up_logging(settings, folder="logs" if by_log else None)
    if not settings.notification_enabled:
        raise UpdaterError("notifications are off: nothing was sent; set NOTIFICATION_ENABLED=true")
    notice = notices.test(socket.gethostname())
    notifier = get_notifier(settings)
    if not isinstance(notifier, Notifier):
        return _by_theirs(notifier, notice)
    if by_log and not logging.root.isEnabledFor(logging.INFO):
        raise UpdaterError(
            f"LOG_LEVEL={settings.log_level} leaves a test out of the log: nothing was sent; "
            "set LOG_LEVEL=INFO for this"
        )
    trouble = notifier.unusable()
    if trouble:
        raise UpdaterError(f"{trouble}: nothing was sent")
    delivery = notifier.deliver(notice)
    if not delivery.sent:
        raise UpdaterError(f"nothing was sent to {delivery.where}: {delivery.why}")
    if by_log:
        common.say(f"The test notification is in the log{f' ({file})' if file else ''}")
    else:
        common.say(f"The test notification was accepted by {delivery.where}")
    return 0


def _by_theirs(notifier: Any, notice: Any) -> int:
    """By the checkout's own notifier, which may answer False where it could not send."""
    from updaters import sending
    from updaters.limited import call_within
    from updaters.notifier import TIME_LIMIT

    name = f"{type(notifier).__module__}.{type(notifier).__name__}"
    given = (notice.title, notice.message, notice.severity, notice.metadata)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            answer = call_within(TIME_LIMIT, lambda: notifier.send(*given), "notifier")
    except TimeoutError as exc:
        raise UpdaterError(f"{name}: {exc}") from None
    except Exception as exc:
        why = f"{type(exc).__name__}: {sending.words_of(exc)}"
        raise UpdaterError(f"{name} could not send: {why}") from None
    if answer is False:
        raise UpdaterError(f"{name} answered that nothing was sent")
    common.say(f"The test notification was handed to {name}, your own notifier")
    return 0
