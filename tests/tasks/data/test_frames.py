"""Frames of events and of many files: built once, whole or absent; and the embedded events, step by step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from neurons import InvalidValue
from suite.runs import plan
from tasks import data, get
from tasks.data import cache, mnist_events, tiny_imagenet
from tests.tasks.data import made_files

pytestmark = pytest.mark.usefixtures("own_folders")


def test_frames_are_built_once(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_files.tiny_imagenet(own_folders)
    first = data.load("tiny_imagenet").inputs.clone()
    monkeypatch.setattr(tiny_imagenet, "read_image", lambda path: pytest.fail("read again"))
    data._load.cache_clear()
    again = data.load("tiny_imagenet")
    assert torch.equal(again.inputs, first)
    (kept,) = (path for path in cache.folder().iterdir() if path.is_dir())
    (kept / "inputs.npy").write_bytes((kept / "inputs.npy").read_bytes()[:-5])
    with pytest.raises(data.DataCorrupted, match="has another size than when it was written; delete this folder"):
        data.load_unkept("tiny_imagenet")


def slow(sample: int) -> np.ndarray:
    time.sleep(0.02)
    return np.full(3, sample, np.int16)


def failing(sample: int) -> np.ndarray:
    if sample == 5:
        raise data.DataCorrupted("sample 5")
    return np.full(3, sample, np.int16)


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    labels, split = np.arange(8), np.full(8, "t")
    with pytest.raises(data.DataCorrupted, match="sample 5"):
        cache.built("failing", 0, range(8), failing, labels, split)
    assert not [path for path in cache.folder().iterdir() if path.is_dir()]
    inputs, _, _ = cache.built("failing", 0, range(5), failing, labels[:5], split[:5])
    assert inputs.tolist() == [[n] * 3 for n in range(5)]


def test_many_processes_make_what_one_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "IN_ONE_PROCESS", 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    labels = np.arange(40)
    inputs, _, _ = cache.built("many", 0, range(40), slow, labels, np.full(40, "t"))
    assert inputs.tolist() == [[n] * 3 for n in range(40)]


KILLED = """
import numpy as np
from tests.tasks.data.test_frames import slow
from tasks.data import cache
cache.built("killed", 0, range(200), slow, np.arange(200), np.full(200, "t"))
"""


def test_a_killed_build_is_absent_and_the_next_is_whole(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED], cwd=Path(__file__).parents[3])
    while not list(cache.folder().glob(".killed-*/inputs.npy")):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not [path for path in cache.folder().glob("killed-*") if path.is_dir()]
    inputs, _, _ = cache.built("killed", 0, range(200), slow, np.arange(200), np.full(200, "t"))
    assert inputs[:, 0].tolist() == list(range(200))
    assert not list(cache.folder().glob(".killed-*")), "what the killed one left is gone"


def test_events_of_the_embedded_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image's own pixel at each step, walked along the three saccades by a loop over steps and pixels."""
    monkeypatch.undo()
    image = mnist_events.images_and_labels()[0][7].reshape(28, 28).astype(float) / 255
    found = mnist_events.events(7)
    field = np.zeros((36, 36))
    field[1:29, 1:29] = image

    def brightness(y: int, x: int, corner: tuple[float, float]) -> float:
        u, v = x - corner[0] + 1, y - corner[1] + 1
        if not (0 <= u < 35 and 0 <= v < 35):
            return 0.0
        left, top = int(u + 1e-9), int(v + 1e-9)
        a, b = u - left, v - top
        rows = [(1 - a) * field[row, left] + a * field[row, left + 1] for row in (top, top + 1)]
        return float((1 - b) * rows[0] + b * rows[1])

    corners = [(0.0, 0.0), (3.0, 6.0), (6.0, 0.0), (0.0, 0.0)]
    path = [
        (begin[0] + (end[0] - begin[0]) * step / 20, begin[1] + (end[1] - begin[1]) * step / 20)
        for begin, end in pairwise(corners)
        for step in range(1, 21)
    ]
    for y, x in ((10, 12), (15, 17), (20, 14), (5, 5), (25, 20)):
        known, expected = brightness(y, x, (0, 0)), []
        for step, corner in enumerate(path):
            change = brightness(y, x, corner) - known
            if abs(abs(change) - 0.25) < 1e-6:
                pytest.skip("a change at the threshold itself")
            if abs(change) >= 0.25:
                known += change
                expected.append((5000 * (step + 1), int(change > 0)))
        own = (found.x == x) & (found.y == y)
        assert list(zip(found.t[own], found.p[own], strict=True)) == expected, (y, x)
    assert (np.diff(found.t) >= 0).all()
    assert found.t.max() <= 300_000


@pytest.mark.parametrize("frames", [3, 6, 12])
def test_frames_hold_all_events(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    inputs, _, _ = mnist_events._mnist_events(frames)
    for sample in (0, 249, 250, 4999):
        expected = np.zeros((frames, 2, 34, 34), int)
        events = mnist_events.events(sample)
        for t, x, y, p in zip(events.t, events.x, events.y, events.p, strict=True):
            expected[(t - 1) * frames // 300_000, p, y, x] += 1
        assert np.array_equal(inputs[sample], expected)


def test_frames_must_divide_the_steps() -> None:
    with pytest.raises(InvalidValue, match="cannot be cut into 7 equal frames"):
        data.load_unkept("mnist5k_events", frames=7)


def test_frames_are_a_setting_of_events_alone() -> None:
    with pytest.raises(InvalidValue, match="setting frames=5: digits has no events that could be cut into frames"):
        plan.make(plan.Request("smoke", ["accuracy"], ["lif"], datasets=["digits"], settings={"frames": 5}))
    asked = plan.Request("smoke", ["accuracy"], ["lif"], datasets=["mnist5k_events"], settings={"frames": 3})
    (cell,) = plan.make(asked)
    assert get("accuracy").timesteps(cell) == 3
