"""What all blocks of the kit share: none is made for nothing, none outlives its test."""

from types import TracebackType
from typing import ClassVar

from typing_extensions import Self

__all__ = ["Block"]


class Block:
    """Something that begins with `arm()` and ends with `disarm()`, or is a `with` block.

    One that is made and never begun tests nothing: `unused()` tells of those. `end_all()` ends what
    a test left.
    """

    #: Made, and not begun yet.
    _waiting: ClassVar[list["Block"]] = []
    #: Begun, and not ended yet; the newest last.
    _running: ClassVar[list["Block"]] = []

    def __init__(self, what: str, *, strict: bool = True) -> None:
        #: What it does, for people.
        self.what = what
        #: Whether to have had no effect fails the test.
        self.strict = strict
        if strict:
            Block._waiting.append(self)

    @property
    def armed(self) -> bool:
        """Whether it has begun and not ended."""
        return self in Block._running

    def arm(self) -> Self:
        """Begins it; harmless when it has begun."""
        if self in Block._waiting:
            Block._waiting.remove(self)
        if not self.armed:
            self._begin()
            Block._running.append(self)
        return self

    def disarm(self) -> int:
        """Ends it; harmless when it has not begun. -> how often it struck since it began."""
        if self.armed:
            Block._running.remove(self)
            self._end()
        return self.struck

    @property
    def struck(self) -> int:
        """How often it struck since it was last armed; 0 for a block that strikes nothing."""
        return 0

    def _begin(self) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError

    def _judge(self) -> None:
        """Raises AssertionError where the block did not do what it is for."""

    def __enter__(self) -> Self:
        return self.arm()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.disarm()
        # What the test itself raises says more.
        if error is None:
            self._judge()

    def __repr__(self) -> str:
        state = "armed" if self.armed else f"struck {self.struck} times"
        return f"<{self.what}, {state}>"

    @classmethod
    def unused(cls) -> list[str]:
        """What was made and never begun; forgotten by this."""
        told = [block.what for block in cls._waiting]
        cls._waiting.clear()
        return told

    @classmethod
    def end_all(cls) -> None:
        """Ends all, the newest first."""
        while cls._running:
            cls._running[-1].disarm()
