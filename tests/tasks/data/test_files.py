"""Data sets whose files a user brings: what is loaded of small files in the published formats, sample by sample."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurons import BackendUnavailable
from suite import cli
from suite.runs import plan, worker
from tasks import data, get
from tasks.data import cache, location
from tasks.data.events import read_aedat2, read_aedat3, read_atis
from tasks.data.permutation import pixel_permutation
from tests.tasks.data import made_files

BROUGHT = [name for name in data.names() if not data.embedded(name)]


pytestmark = pytest.mark.usefixtures("own_folders")


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
def test_a_set_is_known_before_its_files_are_read(name: str, own_folders: Path) -> None:
    """Shape of a step, number of steps, and the bytes of a sample that is kept, as an estimate takes them."""
    MADE[name](own_folders)
    source = data.SOURCES[name]
    published = source.published
    assert published is not None
    kept, size = published.kept(source.usual)
    assert not kept or cache.size_of(kept) == 0
    dataset = data.load(name)
    assert dataset.features == published.features
    assert dataset.timesteps == (published.steps or source.usual or None)
    assert dataset.classes <= published.classes
    of_a_sample = dataset.inputs[0].numel() * dataset.inputs.element_size()
    if kept:
        assert size == published.samples * of_a_sample
        assert cache.size_of(kept) == len(dataset.inputs) * of_a_sample + HEADER


HEADER = 128
"""Bytes before the numbers of an array's file."""


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
