"""Results on their way from a worker: one JSON object a line through a pipe, read without ever waiting."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from suite.runs.record import BrokenRecord, Result, result_from_json, result_to_json

LARGEST_READ = 1 << 20


def send(descriptor: int, index: int, result: Result) -> None:
    """Write one result; returns when the pipe has taken it all."""
    line = json.dumps({"index": index, **result_to_json(result)}, allow_nan=False).encode() + b"\n"
    while line:
        line = line[os.write(descriptor, line) :]


def send_end(descriptor: int, clean: bool) -> None:
    """Write that a batch is over, and whether nothing of it is left in the process."""
    os.write(descriptor, json.dumps({"over": True, "clean": clean}).encode() + b"\n")


class Inbox:
    """The reading end of a worker's pipe. A worker that stops in the middle of a line holds nobody up.

    Attributes:
        ended: nothing more will come.
        batch_is_over: the worker is done with its batch.
        clean: nothing of that batch is left in the process.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        os.set_blocking(connection.fileno(), False)
        self.ended = self.batch_is_over = self.clean = False
        self._begun = bytearray()

    def fileno(self) -> int:
        return self.connection.fileno()

    def close(self) -> None:
        self.connection.close()

    def results(self) -> Iterator[tuple[int, Result]]:
        """The results that are there, with the index of their cell.

        Raises:
            BrokenRecord: the worker, or what it started, wrote something else into the pipe.
        """
        while read := self._read():
            self._begun += read
            if b"\n" in read:
                *lines, self._begun = self._begun.split(b"\n")
                for line in lines:
                    known = _object(line)
                    if known.get("over") is True:
                        self.batch_is_over, self.clean = True, known.get("clean") is True
                    else:
                        yield _parsed(known)

    def silent(self) -> bool:
        """Whether nothing has come that was not read."""
        return not self._begun and not self._read() and not self.ended

    def _read(self) -> bytes:
        try:
            read = os.read(self.fileno(), LARGEST_READ)
        except BlockingIOError:
            return b""
        self.ended = not read
        return read


def _object(line: bytearray) -> dict[str, Any]:
    try:
        known: dict[str, Any] = dict(json.loads(line))
    except (ValueError, TypeError) as error:
        raise BrokenRecord(f"what it sent cannot be read: {error}") from error
    return known


def _parsed(known: dict[str, Any]) -> tuple[int, Result]:
    try:
        return int(known["index"]), result_from_json(known)
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenRecord(f"what it sent cannot be read: {error}") from error
