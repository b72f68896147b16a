"""Files that users bring, at their edges: the last pixel and the one beyond, times that overflow, changed states."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from tasks import data
from tasks.data import cache
from tasks.data.events import Events, counted, frames_of_equal_number, read_aedat3
from tasks.data.heidelberg import read_bins
from tests.tasks.data import made_files

pytestmark = pytest.mark.usefixtures("own_folders")


def events_at(*places: tuple[int, int]) -> Events:
    x, y = (np.array(own) for own in zip(*places, strict=True))
    return Events(np.arange(len(places)), x, y, np.zeros(len(places), int))


@pytest.mark.parametrize(("place", "there"), [((3, 1), True), ((4, 1), False), ((3, 2), False)])
def test_the_last_pixel_of_a_sensor(place: tuple[int, int], there: bool) -> None:
    """Of 4 across and 2 down."""
    events = events_at((0, 0), place)
    if there:
        found = counted(events, np.array([0, 1]), 2, 2, 4, "file")
        assert [
            (int(own), *place) for own, place in zip(found[found > 0], np.argwhere(found).tolist(), strict=True)
        ] == [
            (1, 0, 0, 0, 0),
            (1, 1, 0, 1, 3),
        ]
    else:
        with pytest.raises(data.DataCorrupted, match="beyond the sensor of 4×2"):
            counted(events, np.array([0, 1]), 2, 2, 4, "file")


def test_events_of_a_span_include_its_begin_alone() -> None:
    events = Events(np.array([1, 2, 3]), *(np.zeros(3, int) for _ in range(3)))
    assert events.between(1, 3).t.tolist() == [1, 2]


def test_fewer_events_than_frames_are_refused() -> None:
    events = events_at((0, 0), (1, 1))
    assert frames_of_equal_number(events, 2, 2, 2, Path("file")).sum((1, 2, 3)).tolist() == [1, 1]
    with pytest.raises(data.DataCorrupted, match="2 events cannot be cut into 3 frames"):
        frames_of_equal_number(events, 3, 2, 2, Path("file"))


def test_times_beyond_31_bits_go_on(tmp_path: Path) -> None:
    """A packet whose counter overflowed once."""
    content = b"#!AER-DAT3.1\r\n#!END-HEADER\r\n"
    for overflow, t in ((0, 2**31 - 1), (1, 5)):
        content += struct.pack("<HHIIIIII", 1, 1, 8, 4, overflow, 1, 1, 1) + struct.pack("<II", 3 << 17 | 2 << 2 | 3, t)
    (tmp_path / "file").write_bytes(content)
    found = read_aedat3(tmp_path / "file")
    assert found.t.tolist() == [2**31 - 1, 2**31 + 5]
    assert (found.x.tolist(), found.y.tolist(), found.p.tolist()) == ([3, 3], [2, 2], [1, 1])


@pytest.mark.parametrize(
    ("time", "unit", "there"), [(1.375, 699, True), (1.5, 0, False), (0.5, 700, False), (-0.5, 0, False)]
)
def test_spikes_within_the_recording_and_the_fibres(time: float, unit: int, there: bool, tmp_path: Path) -> None:
    path = tmp_path / f"{time} {unit}.h5"
    with h5py.File(path, "w") as file:
        for key, kind, value in (("times", np.float16, time), ("units", np.int32, unit)):
            own = file.create_dataset(f"spikes/{key}", (1,), dtype=h5py.vlen_dtype(kind))
            own[0] = np.array([value], kind)
    if there:
        found = read_bins((path, 0), 10)
        assert np.argwhere(found).tolist() == [[9, 139]]
    else:
        with pytest.raises(data.DataCorrupted, match=r"beyond 700 fibres or 1\.4 s"):
            read_bins((path, 0), 10)


def test_a_process_sees_that_files_changed(own_folders: Path) -> None:
    """Not what it remembers of their earlier state."""
    made_files.cifar10(own_folders / "first")
    made_files.cifar10(own_folders / "second")
    target = own_folders / "cifar-10-batches-py"
    (own_folders / "first/cifar-10-batches-py").rename(target)
    before = data.load("cifar10")
    assert data.load("cifar10") is before
    target.rename(own_folders / "away")
    (own_folders / "second/cifar-10-batches-py").rename(target)
    for path in target.iterdir():
        path.write_bytes(path.read_bytes() + b"\n")
    after = data.load("cifar10")
    assert not torch.equal(after.inputs, before.inputs)


def of_state(sample: tuple[int, int]) -> np.ndarray:
    return np.array(sample, np.int16)


def test_frames_of_another_state_are_built_anew() -> None:
    labels, split = np.arange(3), np.full(3, "t")

    def built(state: int) -> list[list[int]]:
        return cache.built("own", state, [(state, k) for k in range(3)], of_state, labels, split)[0].tolist()

    assert built(1) == built(1) == [[1, 0], [1, 1], [1, 2]]
    assert built(2) == [[2, 0], [2, 1], [2, 2]]


@pytest.mark.parametrize("change", [b"more", None])
def test_frames_that_grew_or_shrank_are_refused(change: bytes | None) -> None:
    labels, split = np.arange(3), np.full(3, "t")
    samples = [(0, k) for k in range(3)]
    cache.built("own", 0, samples, of_state, labels, split)
    (folder,) = (path for path in cache.folder().glob("own-*") if path.is_dir())
    content = (folder / "inputs.npy").read_bytes()
    (folder / "inputs.npy").write_bytes(content + change if change else content[:-1])
    with pytest.raises(data.DataCorrupted, match="has another size than when it was written"):
        cache.built("own", 0, samples, of_state, labels, split)
