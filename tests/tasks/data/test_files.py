"""Data sets whose files a user brings: what is loaded of small files in the published formats, sample by sample."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurons import BackendUnavailable, InvalidValue
from suite import cli
from suite.runs import plan, worker
from tasks import data, get
from tasks.data import cache, location, mnist_events, tiny_imagenet
from tasks.data.events import read_aedat2, read_aedat3, read_atis
from tasks.data.permutation import pixel_permutation
from tests.tasks.data import made_files

BROUGHT = [name for name in data.names() if not data.embedded(name)]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Files are looked for, and frames kept, in folders of the test."""
    monkeypatch.setenv(location.VARIABLE, str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    data._load.cache_clear()
    yield tmp_path / "data"
    data._load.cache_clear()


def counts_of(events: made_files.EventList, frames: int, size: int) -> np.ndarray:
    """Event by event: as many in each frame, the rest in the last."""
    counted = np.zeros((frames, 2, size, size), int)
    each = len(events) // frames
    for index, (_, x, y, p) in enumerate(events):
        counted[min(index // each, frames - 1), p, y, x] += 1
    return counted


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist"])
@pytest.mark.parametrize("below", ["", "own folder"])
def test_images(name: str, below: str, own_folders: Path) -> None:
    root = own_folders / name if below else own_folders
    train, test = getattr(made_files, name)(root)
    dataset = data.load(name)
    assert dataset.inputs.dtype == torch.uint8
    assert len(dataset.inputs) == len(train) + len(test)
    for (image, label), found, found_label in zip((*train, *test), dataset.inputs, dataset.labels, strict=True):
        assert torch.equal(found, torch.from_numpy(image.copy()))
        assert found_label == label
    assert "".join(dataset.split[len(train) :]) == "e" * len(test)
    for label in range(4):
        own = dataset.split[: len(train)][[own == label for _, own in train]]
        assert "".join(own) == "t" * 9 + "v", "each tenth of a class is validation"
    pixels = data.SOURCES[name].pixels
    x, y = dataset.batch(torch.tensor([3, len(train)]))
    assert pixels is not None
    for channel, (mean, deviation) in enumerate(zip(pixels.mean, pixels.deviation, strict=True)):
        assert np.allclose(x[0, channel], (train[3][0][channel] / 255 - mean) / deviation, atol=1e-5)
    assert y.tolist() == [train[3][1], test[0][1]]


@pytest.mark.parametrize(("name", "order"), [("smnist", lambda: np.arange(784)), ("psmnist", pixel_permutation)])
def test_pixels_one_by_one(name: str, order: Callable[[], np.ndarray], own_folders: Path) -> None:
    train, test = made_files.mnist(own_folders)
    dataset = data.load(name)
    assert (dataset.timesteps, dataset.features, dataset.readout) == (784, (1,), "last")
    for (image, label), found, found_label in zip((*train, *test), dataset.inputs, dataset.labels, strict=True):
        assert np.allclose(found[:, 0], image.reshape(-1)[order()] / 255)
        assert found_label == label


def test_the_permutation_holds_every_pixel_once_and_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    order = pixel_permutation()
    assert sorted(order) == list(range(784))
    assert (order != np.arange(784)).mean() > 0.98
    monkeypatch.setattr("tasks.data.permutation.SHA256", "0" * 64)
    with pytest.raises(data.DataCorrupted, match=r"pixels\.permutation\.txt has hash"):
        pixel_permutation()


def test_tiny_imagenet(own_folders: Path) -> None:
    train, test = made_files.tiny_imagenet(own_folders)
    dataset = data.load("tiny_imagenet")
    assert dataset.inputs.shape == (18, 3, 64, 64)
    for (image, label), found, found_label in zip((*train, *test), dataset.inputs, dataset.labels, strict=True):
        assert found_label == label
        assert (found[:, 8::16, 8::16].int() - torch.from_numpy(image[:, 8::16, 8::16].astype(int))).abs().max() < 8
    assert "".join(dataset.split) == "tttv" * 3 + "e" * 6


@pytest.mark.parametrize(("name", "tests"), [("cifar10_dvs_tebn", [0, 99]), ("cifar10_dvs_clif", [900, 999])])
def test_cifar10_dvs_with_both_splits(name: str, tests: list[int], own_folders: Path) -> None:
    """Samples of one class stand in the order of their numbers; frames hold which pixels saw an event, made smaller."""
    numbers = (999, 0, 99, 100, 899, 900)
    written = made_files.cifar10_dvs(own_folders / "cifar10_dvs", numbers)
    dataset = data.load(name, frames=4)
    assert (dataset.timesteps, dataset.features) == (4, (2, 48, 48))
    expected = [(key, number) for key in dict.fromkeys(key for key, _ in written) for number in sorted(numbers)]
    for index, (key, number) in enumerate(expected):
        assert dataset.labels[index] == index // len(numbers)
        assert (dataset.split[index] == "e") == (number in tests)
        seen = torch.from_numpy(counts_of(written[key, number], 4, 128) > 0).float()
        small = torch.nn.functional.interpolate(seen, (48, 48), mode="bilinear", antialias=True)
        assert torch.allclose(dataset.batch(torch.tensor([index]))[0][0], small, atol=1.5 / 255)
    assert list(dataset.split).count("v") == 10, "one of the four others of each class"


def test_the_two_splits_share_their_frames(own_folders: Path) -> None:
    made_files.cifar10_dvs(own_folders, (5, 950))
    first, second = data.load("cifar10_dvs_tebn"), data.load("cifar10_dvs_clif")
    assert torch.equal(first.inputs, second.inputs)
    assert len(list(cache.folder().glob("cifar10_dvs-*"))) == 2, "one folder and its lock"
    assert [("".join(own.split[:2])) for own in (first, second)] == ["ev", "ve"]


def test_dvs128_gesture(own_folders: Path) -> None:
    written = made_files.dvs128_gesture(own_folders)
    dataset = data.load("dvs128_gesture", frames=3)
    assert dataset.inputs.dtype == torch.int16
    assert len(dataset.inputs) == len(written) == 10
    for index, (letter, label, events) in enumerate(written):
        assert (dataset.split[index], int(dataset.labels[index])) == (letter, label)
        assert np.array_equal(dataset.inputs[index], counts_of(events, 3, 128))
    assert dataset.batch(torch.tensor([0]))[0].dtype == torch.float32


def test_n_mnist(own_folders: Path) -> None:
    written = made_files.n_mnist(own_folders)
    dataset = data.load("n_mnist", frames=4)
    assert len(dataset.inputs) == len(written) == 40
    for index, (part, digit, events) in enumerate(written):
        assert dataset.labels[index] == digit
        assert np.array_equal(dataset.inputs[index], counts_of(events, 4, 34))
        assert (dataset.split[index] == "e") == (part == "Test")


@pytest.mark.parametrize(
    ("name", "parts"), [("shd", {"train": 12, "test": 5}), ("ssc", {"train": 12, "valid": 3, "test": 5})]
)
def test_spoken_words(name: str, parts: dict[str, int], own_folders: Path) -> None:
    written = made_files.heidelberg(own_folders / name, name, parts)
    dataset = data.load(name, frames=50)
    assert (dataset.timesteps, dataset.features) == (50, (140,))
    samples = [(part, *sample) for part in parts for sample in written[part]]
    assert len(samples) == len(dataset.inputs)
    for index, (part, times, units, label) in enumerate(samples):
        expected = np.zeros((50, 140), int)
        for time_of, unit in zip(times, units, strict=True):
            expected[int(time_of * 50 / 1.4), unit // 5] += 1
        assert np.array_equal(dataset.inputs[index], expected)
        assert dataset.labels[index] == label
        assert (dataset.split[index] == "e") == (part == "test")
    speakers = np.arange(12) // 4
    valid = dataset.split[:12] == "v" if name == "shd" else dataset.split[12:15] == "v"
    assert (valid == (speakers == 2)).all() if name == "shd" else valid.all()


def test_readers_agree_with_spikingjelly(tmp_path: Path) -> None:
    from spikingjelly.datasets import cifar10_dvs, utils

    recorded = made_files.events(200, 34, step=9000)
    made_files.aedat3(tmp_path / "three", recorded)
    made_files.aedat2(tmp_path / "two", recorded)
    (tmp_path / "atis").write_bytes(
        b"".join(bytes([x, y]) + (p << 23 | t).to_bytes(3, "big") for t, x, y, p in recorded)
    )
    for own, others, path in (
        (read_aedat3, utils.load_aedat_v3, "three"),
        (read_aedat2, cifar10_dvs._load_origin_data, "two"),
        (read_atis, utils.load_ATIS_bin, "atis"),
    ):
        found, theirs = own(tmp_path / path), others(tmp_path / path)
        assert list(zip(found.t, found.x, found.y, found.p, strict=True)) == recorded
        for name in "txyp":
            assert np.array_equal(getattr(found, name), theirs[name]), (path, name)
        frames = utils.integrate_events_by_fixed_frames_number(theirs, "number", 7, 128, 128)
        assert np.array_equal(frames, counts_of(recorded, 7, 128))


MADE: dict[str, Callable[[Path], Any]] = {
    "cifar10": made_files.cifar10,
    "cifar100": made_files.cifar100,
    "mnist": made_files.mnist,
    "smnist": made_files.mnist,
    "psmnist": made_files.mnist,
    "tiny_imagenet": made_files.tiny_imagenet,
    "cifar10_dvs_tebn": lambda root: made_files.cifar10_dvs(root, (5, 500, 950)),
    "cifar10_dvs_clif": lambda root: made_files.cifar10_dvs(root, (5, 500, 950)),
    "dvs128_gesture": made_files.dvs128_gesture,
    "n_mnist": made_files.n_mnist,
    "shd": lambda root: made_files.heidelberg(root, "shd", {"train": 12, "test": 5}),
    "ssc": lambda root: made_files.heidelberg(root, "ssc", {"train": 12, "valid": 3, "test": 5}),
}


@pytest.mark.parametrize("name", BROUGHT)
def test_a_missing_set_says_where_it_is_had(name: str, own_folders: Path) -> None:
    with pytest.raises(BackendUnavailable) as caught:
        data.load(name)
    text = str(caught.value)
    download = data.SOURCES[name].download
    assert download is not None
    assert "\n" not in text
    assert download.site in text
    assert str(own_folders) in text
    assert location.VARIABLE in text


@pytest.mark.parametrize("name", BROUGHT)
def test_files_are_only_read(name: str, own_folders: Path) -> None:
    MADE[name](own_folders)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(own_folders.rglob("*"))}
    for path in own_folders.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    dataset = data.load(name)
    assert set(dataset.split) == {"t", "v", "e"}
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(own_folders.rglob("*"))} == before
    for path in own_folders.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


DATA_FILES = ("*batch*", "train", "test", "*ubyte", "*.JPEG", "*.aedat", "*.bin", "*.h5")


@pytest.mark.parametrize("name", BROUGHT)
def test_a_file_that_was_cut_off_is_named(name: str, own_folders: Path) -> None:
    MADE[name](own_folders)
    files = sorted({path for kind in DATA_FILES for path in own_folders.rglob(kind) if path.is_file()})
    for path in files[:1] + files[-1:]:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 2 // 3 - (len(whole) * 2 // 3) % 5 + 1])
        with pytest.raises(data.DataCorrupted) as caught:
            data.load_unkept(name)
        assert str(path) in str(caught.value)
        path.write_bytes(whole)
    assert len(data.load_unkept(name).labels) >= 10


@pytest.mark.parametrize("name", BROUGHT)
def test_another_state_of_the_files_is_another_cell(name: str, own_folders: Path) -> None:
    missing = data.fingerprint(name)
    MADE[name](own_folders)
    there = data.fingerprint(name)
    assert len({missing, there, data.fingerprint("digits")}) == 3
    download = data.SOURCES[name].download
    assert download is not None
    first = own_folders / download.needs[0]
    own = next(first.iterdir()) if first.is_dir() else first
    if own.is_file():
        with own.open("ab") as file:
            file.write(b"\n")
        assert data.fingerprint(name) not in (missing, there)


def test_an_event_beyond_the_sensor_is_refused(own_folders: Path) -> None:
    made_files.n_mnist(own_folders)
    path = own_folders / "Train/3/00001.bin"
    path.write_bytes(path.read_bytes() + bytes([40, 0, 0, 0, 0]))
    with pytest.raises(data.DataCorrupted, match=r"00001\.bin: has an event at \(40, "):
        data.load("n_mnist")


def test_a_pickle_of_something_else_is_named(own_folders: Path) -> None:
    made_files.cifar10(own_folders)
    path = own_folders / "cifar-10-batches-py/data_batch_3"
    path.write_bytes(pickle.dumps({"other": 1}))
    with pytest.raises(data.DataCorrupted, match="data_batch_3: 'data'"):
        data.load("cifar10")


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
from tests.tasks.data.test_files import slow
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


def test_the_command_says_what_is_here(own_folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cifar10", "shd"):
        download = data.SOURCES[name].download
        assert download is not None
        assert cli.main(["data", name, "--data-dir", str(own_folders)]) == 1
        assert download.site in capsys.readouterr().out
        MADE[name](own_folders / name)
        assert cli.main(["data", name, "--data-dir", str(own_folders)]) == 0
        told = capsys.readouterr().out
        assert re.search(r"^state +present$", told, re.MULTILINE)
        assert "samples that are published" in told
    assert cli.main(["data", "--json", "--data-dir", str(own_folders)]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert set(listed) == set(data.names())
    assert {name for name in BROUGHT if listed[name]["state"] == "present"} == {"cifar10", "shd"}
    first = own_folders / "cifar10/cifar-10-batches-py/data_batch_1"
    first.write_bytes(first.read_bytes()[:500])
    assert cli.main(["data", "cifar10"]) == 1
    assert str(first) in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main(["data", "--data-dir", str(own_folders / "nowhere")])
    assert ended.value.code == 2


def test_a_plan_holds_cells_whose_data_is_missing_or_corrupt(own_folders: Path) -> None:
    """Each ends with its own cause; nothing else of the run is lost for it."""
    request = plan.Request("smoke", ["accuracy"], ["lif"], datasets=["cifar10", "digits"])
    assert {cell.dataset for cell in plan.make(request)} == {"cifar10", "digits"}
    (cell,) = (cell for cell in plan.make(request) if cell.dataset == "cifar10")
    (missing,) = (worker.as_result(outcome, 1.0) for _, outcome in get("accuracy").run_batch([cell]))
    assert missing.status == "unavailable"
    assert "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz" in missing.detail
    made_files.cifar10(own_folders)
    (found,) = (worker.as_result(outcome, 1.0) for _, outcome in get("accuracy").run_batch([cell]))
    assert found.status == "ok"
    path = own_folders / "cifar-10-batches-py/test_batch"
    path.write_bytes(path.read_bytes()[:-100])
    (corrupt,) = (worker.as_result(outcome, 1.0) for _, outcome in get("accuracy").run_batch([cell]))
    assert corrupt.status == "failed"
    assert str(path) in corrupt.detail


def test_frames_are_a_setting_of_events_alone() -> None:
    with pytest.raises(InvalidValue, match="setting frames=5: digits has no events that could be cut into frames"):
        plan.make(plan.Request("smoke", ["accuracy"], ["lif"], datasets=["digits"], settings={"frames": 5}))
    asked = plan.Request("smoke", ["accuracy"], ["lif"], datasets=["mnist5k_events"], settings={"frames": 3})
    (cell,) = plan.make(asked)
    assert get("accuracy").timesteps(cell) == 3
