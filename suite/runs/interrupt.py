"""What a signal to end does: Ctrl-C, SIGTERM and SIGHUP leave one line, no traceback, and the shell's exit code.

A command that has nothing at stake ends at once. A run ends in order: it is asked to stop and writes its table; a
later signal ends it at once, which loses nothing, because its cells are stored one by one.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SAME_PRESS = 2.0
"""Seconds within which a second signal is taken for the first, as from a key that was pressed twice."""

Handler = Callable[[int, FrameType | None], Any]


_program = False
"""Whether this process is the command line; in another program signals stay as that program handles them."""


def end_at_once(message: str = "interrupted") -> None:
    """This process is the command line: from now on, a signal to end prints the message and ends it."""
    global _program  # noqa: PLW0603
    _program = True
    _install(lambda number, _: _end(number, message))


class StopRequest:
    """While entered, the first signal to end is noted in `signal`, and a later one ends the process with the message.

    Attributes:
        orderly: False while there is nothing to be put in order: the first signal then ends the process, too.
        signal: the number of the signal that came; None before one came.
    """

    def __init__(self, message: str) -> None:
        self.message = message
        self.orderly = False
        self.signal: int | None = None
        self._came = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = _install(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.signal is None and self.orderly:
            self.signal, self._came = number, time.monotonic()
        elif self.signal is None or time.monotonic() - self._came > SAME_PRESS:
            _end(number, self.message)

    def end(self) -> int:
        """Print the message and return the exit code of the signal that came."""
        print(f"\n{self.message}" if sys.stderr.isatty() else self.message, file=sys.stderr)
        return exit_code(self.signal or signal.SIGINT)


def exit_code(number: int) -> int:
    """What a shell calls the end by a signal: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + number


def _install(handler: Handler) -> dict[int, Any]:
    """Handle the signals so, in the command line's main thread; returns what handled them before."""
    if not _program or threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in SIGNALS}


def _end(number: int, message: str) -> NoReturn:
    """End without Python's own clean-up, in which a second signal would print tracebacks."""
    for number_of_ending in SIGNALS:
        signal.signal(number_of_ending, signal.SIG_IGN)
    show_cursor = "\x1b[?25h\r" if os.isatty(2) else ""
    os.write(2, f"{show_cursor}{message}\n".encode(errors="replace"))
    os._exit(exit_code(number))
