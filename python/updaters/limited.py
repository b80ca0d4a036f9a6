"""A call that gets only so much time. Apart from its users: they are the notifications."""

import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["call_within"]

T = TypeVar("T")


def call_within(seconds: float, work: Callable[[], T], name: str, *, stop: bool = False) -> T:
    """What `work` returns or raises, from a thread of that name; `TimeoutError` after `seconds`.

    An exit there (`sys.exit`) ends the thread alone, and is a `RuntimeError` here.
    Ctrl-C ends the waiting at once. The thread is a daemon: one that hangs does not keep the
    interpreter from ending. With `stop` one that is given up ends at its next step in Python,
    instead of listening for ever to a receiver that dribbles.
    """
    answers: list[T] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as problem:
            problems.append(problem)

    # With the caller's context: an application's own code may look there for what it works on.
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: context.run(run), name=name, daemon=True)
    thread.start()
    late = True
    try:
        thread.join(seconds)
        late = thread.is_alive()
    finally:
        if stop and late:
            _end(thread)
    if answers:
        return answers[0]
    if problems and isinstance(problems[0], Exception):
        raise problems[0]
    if problems and not late:
        raise RuntimeError(f"it ended by {type(problems[0]).__name__}({problems[0]})")
    raise TimeoutError(f"no answer within {seconds:g} seconds")


def _end(thread: threading.Thread) -> None:
    """Raise `SystemExit` in it, at which a thread ends without a word."""
    import ctypes

    with contextlib.suppress(Exception):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
        )
