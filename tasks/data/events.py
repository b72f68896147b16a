"""Events of a sensor: their files, and how they are gathered into frames.

The readers take a whole file at once; the packages that also read these formats do so event by event, move what they
read into the user's folder, or delete an archive whose hash they do not know.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.data.dataset import DataCorrupted

POLARITIES = 2
"""Channels of a frame: 0 for pixels that became darker (off), 1 for those that became brighter (on)."""


@dataclass(frozen=True)
class Events:
    """Events in the order of time: times in microseconds, places in pixels, polarity 0 (off) or 1 (on)."""

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray

    def __len__(self) -> int:
        return len(self.t)

    def between(self, begin: int, end: int) -> Events:
        """Those with begin ≤ t < end."""
        chosen = (self.t >= begin) & (self.t < end)
        return Events(*(own[chosen] for own in (self.t, self.x, self.y, self.p)))


def read_atis(path: Path) -> Events:
    """A file of the ATIS sensor as N-MNIST has them: 40 bits an event (x 8, y 8, polarity 1, time 23).

    Raises:
        DataCorrupted: it is cut off.
    """
    raw = np.fromfile(path, np.uint8)
    if len(raw) % 5:
        raise DataCorrupted(f"{path}: {len(raw)} bytes are not a whole number of events of 5 bytes")
    x, y, high, middle, low = raw.reshape(-1, 5).astype(np.int64).T
    return Events((high & 127) << 16 | middle << 8 | low, x, y, high >> 7)


def read_aedat2(path: Path, size: int = 128) -> Events:
    """A file in AEDAT 2.0 of a DVS128 as CIFAR10-DVS has them: address and time, 32 bits each, big-endian.

    Of an address bit 0 is the polarity (1: off), bits 1 to 7 are counted from the right and 8 to 14 from below; both
    are turned here as the package spikingjelly turns them.

    Raises:
        DataCorrupted: it has no header, or is cut off.
    """
    content = path.read_bytes()
    if not content.startswith(b"#!AER-DAT2"):
        raise DataCorrupted(f"{path}: does not begin with #!AER-DAT2.0")
    start = 0
    while content[start : start + 1] == b"#":
        end = content.find(b"\n", start)
        if end < 0:
            raise DataCorrupted(f"{path}: its header has no end")
        start = end + 1
    if (len(content) - start) % 8:
        raise DataCorrupted(f"{path}: {len(content) - start} bytes are not a whole number of events of 8 bytes")
    address, time = np.frombuffer(content, ">u4", offset=start).reshape(-1, 2).astype(np.int64).T
    last = size - 1
    return Events(time, last - (address >> 8 & 127), last - (address >> 1 & 127), 1 - (address & 1))


HEADER = struct.Struct("<HHIIIIII")
"""Of a packet of AEDAT 3.1: kind, source, size of an event, offset of its time, overflow, capacity, number, valid."""
POLARITY_KIND, POLARITY_SIZE = 1, 8


def read_aedat3(path: Path) -> Events:
    """A file in AEDAT 3.1 as DVS128 Gesture has them: packets of a header and events of 32 bits of data and of time.

    Raises:
        DataCorrupted: it has no header, is cut off, or a packet is not what its header says.
    """
    content = path.read_bytes()
    if not content.startswith(b"#!AER-DAT3"):
        raise DataCorrupted(f"{path}: does not begin with #!AER-DAT3.1")
    mark = b"#!END-HEADER\r\n"
    place = content.find(mark)
    if place < 0:
        raise DataCorrupted(f"{path}: its header has no end")
    place += len(mark)
    words, times = [], []
    while place < len(content):
        if place + HEADER.size > len(content):
            raise DataCorrupted(f"{path}: a packet's header is cut off")
        kind, _, size, _, overflow, capacity, _, _ = HEADER.unpack_from(content, place)
        place += HEADER.size
        end = place + size * capacity
        if size < 1 or end > len(content):
            raise DataCorrupted(f"{path}: a packet of {capacity} events of {size} bytes is cut off")
        if kind == POLARITY_KIND:
            if size != POLARITY_SIZE:
                raise DataCorrupted(f"{path}: polarity events have {size} bytes, not {POLARITY_SIZE}")
            packet = np.frombuffer(content, "<u4", count=2 * capacity, offset=place).reshape(-1, 2).astype(np.int64)
            words.append(packet[:, 0])
            times.append(packet[:, 1] | overflow << 31)
        place = end
    word, time = (np.concatenate(own) if own else np.zeros(0, np.int64) for own in (words, times))
    return Events(time, word >> 17 & 0x7FFF, word >> 2 & 0x7FFF, word >> 1 & 1)


def frames_of_equal_number(events: Events, frames: int, height: int, width: int, path: Path) -> np.ndarray:
    """Counts [frames, 2, height, width] of events cut into parts of as many events each, the rest in the last.

    This is what spikingjelly calls `split_by="number"` and the CLIF paper uses.

    Raises:
        DataCorrupted: fewer events than frames, or an event outside of the sensor.
    """
    if len(events) < frames:
        raise DataCorrupted(f"{path}: {len(events)} events cannot be cut into {frames} frames")
    part = np.minimum(np.arange(len(events)) // (len(events) // frames), frames - 1)
    return counted(events, part, frames, height, width, path)


def counted(events: Events, part: np.ndarray, frames: int, height: int, width: int, path: Path | str) -> np.ndarray:
    """Counts [frames, 2, height, width] of events, each in the frame of its `part`.

    Raises:
        DataCorrupted: an event is outside of the sensor.
    """
    if len(events) and (events.x.max() >= width or events.y.max() >= height):
        place = f"({events.x.max()}, {events.y.max()})"
        raise DataCorrupted(f"{path}: has an event at {place}, beyond the sensor of {width}×{height}")
    place = ((part * POLARITIES + events.p) * height + events.y) * width + events.x
    total = frames * POLARITIES * height * width
    return np.bincount(place, minlength=total).reshape(frames, POLARITIES, height, width)


def stored(counts: np.ndarray, kind: type[np.uint8] | type[np.int16], path: Path) -> np.ndarray:
    """Counts in few bytes.

    Raises:
        DataCorrupted: a count does not fit, which no working sensor gives.
    """
    if counts.size and counts.max() > np.iinfo(kind).max:
        raise DataCorrupted(f"{path}: {counts.max()} events of a pixel in one frame")
    return counts.astype(kind)
