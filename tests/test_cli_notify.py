"""`hearing-updater notify-test`: whether notifications arrive, said plainly."""

from pathlib import Path

import pytest

from helpers_notify import Receiver
from helpers_run import COMMAND, command

WEBHOOK = {"NOTIFICATION_ENABLED": "true", "NOTIFICATION_TYPE": "webhook"}


def notify_test(folder: Path, code: int = 0, **variables: str) -> tuple[str, str]:
    """What it prints and what it complains of."""
    url = "http://127.0.0.1:1"
    done = command(folder, url, *COMMAND, "notify-test", code=code, **variables)
    assert "secret" not in done.stdout + done.stderr
    return done.stdout, done.stderr


def test_it_says_that_it_went_out(clean_env: Path, receiver: Receiver) -> None:
    out, err = notify_test(clean_env, **WEBHOOK, NOTIFICATION_WEBHOOK_URL=receiver.url)
    assert (out, err) == ("The test notification was accepted by 127.0.0.1\n", "")
    [body] = receiver.bodies
    assert (body["title"], body["severity"]) == ("Test notification of hearing-updater", "info")
    assert list(clean_env.iterdir()) == []


def test_it_says_why_it_did_not(clean_env: Path, receiver: Receiver) -> None:
    receiver.status, receiver.answer = 403, b"invalid_token for /path-secret"
    out, err = notify_test(clean_env, 1, **WEBHOOK, NOTIFICATION_WEBHOOK_URL=receiver.url)
    assert (out, err) == (
        "",
        "hearing-updater notify-test: nothing was sent to 127.0.0.1: "
        "answered 403 Forbidden: invalid_token for ****\n",
    )


@pytest.mark.parametrize(
    ("variables", "says", "code"),
    [
        ({}, "notifications are off: nothing was sent; set NOTIFICATION_ENABLED=true", 1),
        (WEBHOOK, "NOTIFICATION_TYPE=webhook needs NOTIFICATION_WEBHOOK_URL: nothing was sent", 1),
        (
            {**WEBHOOK, "NOTIFICATION_WEBHOOK_URL": "hooks.example.org/secret"},
            "NOTIFICATION_WEBHOOK_URL: should be a URL that starts with http:// or https://",
            2,
        ),
        (
            {**WEBHOOK, "NOTIFICATION_TYPE": "email", "SENDGRID_API_KEY": "SG.secret"},
            "NOTIFICATION_TYPE=email needs NOTIFICATION_EMAIL and SENDGRID_API_KEY",
            1,
        ),
        (
            {
                **WEBHOOK,
                "NOTIFICATION_TYPE": "email",
                "NOTIFICATION_EMAIL": "nobody",
                "SENDGRID_API_KEY": "SG.secret",
            },
            "nothing was sent to nobody: NOTIFICATION_EMAIL is not an e-mail address",
            1,
        ),
        (
            {
                **WEBHOOK,
                "NOTIFICATION_TYPE": "email",
                "NOTIFICATION_EMAIL": "who@example.org",
                "SENDGRID_API_KEY": "SG.secret with blanks",
            },
            "An invalid SendGrid API Key (****) was specified.",
            1,
        ),
        (
            {"NOTIFICATION_ENABLED": "true", "LOG_LEVEL": "ERROR"},
            "LOG_LEVEL=ERROR leaves a test out of the log",
            1,
        ),
    ],
)
def test_settings_that_will_not_do_are_one_line(
    clean_env: Path, variables: dict[str, str], says: str, code: int
) -> None:
    out, err = notify_test(clean_env, code, **variables)
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_by_the_log(clean_env: Path) -> None:
    out, err = notify_test(clean_env, NOTIFICATION_ENABLED="true")
    [file] = (clean_env / "logs").iterdir()
    assert out == f"The test notification is in the log ({file.relative_to(clean_env)})\n"
    assert "Test notification of hearing-updater: " in file.read_text()
    assert "Test notification of hearing-updater: " in err


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("print(title)", 0, "was handed to notifications.Theirs, your own notifier"),
        ("return False", 1, "notifications.Theirs answered that nothing was sent"),
        ("raise OSError(2, 'no such door')", 1, "notifications.Theirs could not send: "),
    ],
)
def test_by_a_checkouts_own(clean_env: Path, body: str, code: int, says: str) -> None:
    (clean_env / "notifications.py").write_text(
        "class Theirs:\n"
        "    def send(self, title, message, severity='error', metadata=None):\n"
        f"        {body}\n"
        "def get_notifier(): return Theirs()\n"
    )
    out, err = notify_test(clean_env, code, NOTIFICATION_ENABLED="true")
    assert says in out + err
