"""Frozen data: sizes, hashes, disjoint stratified splits, and refusal of changed data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch

import tasks
from neurons import InvalidValue, UnknownName
from suite.runs import plan
from tasks import data
from tasks.data import japanese_vowels
from tasks.data.permutation import pixel_permutation
from tasks.training.network_task import prepare

TABLE = {
    # name: samples of train, validation and test; classes; steps; shape of a step; readout; network
    "digits": ((1257, 180, 360), 10, None, (64,), "mean", "mlp"),
    "mnist5k": ((3500, 500, 1000), 10, None, (1, 28, 28), "mean", "conv5"),
    "mnist5k_rows": ((3500, 500, 1000), 10, 28, (28,), "mean", "mlp"),
    "japanese_vowels": ((216, 54, 370), 9, 29, (12,), "mean", "mlp"),
    "random_images": ((500, 100, 100), 10, None, (3, 32, 32), "mean", "resnet18"),
    "delayed_recall": ((1200, 300, 1000), 4, 7, (20,), "last", "mlp"),
    "binary_adding": ((50000, 1000, 2000), 10, 100, (2,), "last", "mlp"),
    "psmnist5k": ((3500, 500, 1000), 10, 784, (1,), "mean", "mlp"),
    "mnist1d": ((3600, 400, 1000), 10, 40, (1,), "mean", "mlp"),
    "mnist5k_events": ((3500, 500, 1000), 10, 6, (2, 34, 34), "mean", "conv5"),
}
WHOLE = ("mnist5k_events", "binary_adding")
"""Stored as whole numbers."""
DRAWN = ("delayed_recall", "binary_adding")
CELLS = [("lif", 3), ("clif", 3), ("lif", 4)]
LETTERS = {"train": "t", "validation": "v", "test": "e"}


@pytest.fixture
def fresh() -> Iterator[None]:
    """Data sets are loaded anew, and what a test loaded is forgotten."""
    data._load.cache_clear()
    yield
    data._load.cache_clear()


def test_names() -> None:
    assert {name for name in data.names() if data.embedded(name)} == set(TABLE)
    assert data.names() == sorted(data.names(), key=lambda name: (data.SOURCES[name].sequence, name))
    with pytest.raises(UnknownName, match="unknown data set 'digit'; did you mean 'digits'"):
        data.load("digit")


@pytest.mark.parametrize("name", TABLE)
def test_table_of_data_sets(name: str) -> None:
    sizes, classes, steps, features, readout, network = TABLE[name]
    dataset, source = data.load(name), data.SOURCES[name]
    assert [len(dataset.part(part)[1]) for part in LETTERS] == list(sizes)
    assert (dataset.name, dataset.classes, dataset.timesteps) == (name, classes, steps)
    assert (dataset.features, dataset.readout, source.network) == (features, readout, network)
    assert source.sequence == (steps is not None)
    assert dataset.inputs.shape == (sum(sizes), *((steps,) if steps else ()), *features)
    assert dataset.inputs.dtype == (torch.uint8 if name in WHOLE else torch.float32)
    assert set(dataset.labels.tolist()) == set(range(classes))


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("part", LETTERS)
def test_a_part_is_that_of_its_letter(name: str, part: str) -> None:
    dataset = data.load(name)
    chosen = [index for index, letter in enumerate(dataset.split) if letter == LETTERS[part]]
    inputs, labels = dataset.part(part)
    assert torch.equal(labels, dataset.labels[chosen])
    assert torch.equal(inputs, dataset.inputs[chosen].float())


@pytest.mark.parametrize("name", TABLE)
def test_parts_are_stratified(name: str) -> None:
    """The official test set of the vowels is not, its training part is."""
    dataset = data.load(name)
    parts = [dataset.part(part)[1] for part in LETTERS if (name, part) != ("japanese_vowels", "test")]
    shares = [np.bincount(labels, minlength=dataset.classes) / len(labels) for labels in parts]
    assert max(np.abs(shares[0] - share).max() for share in shares[1:]) < 0.01


@pytest.mark.parametrize("what", [0, 1, 2], ids=["inputs", "labels", "split"])
@pytest.mark.parametrize("name", TABLE)
def test_changed_data_is_refused(name: str, what: int, monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    source = data.SOURCES[name]

    def changed(*given: int) -> data.Arrays:
        arrays = [array.copy() for array in source.load(*given)]
        arrays[what].flat[0] = (
            "e" if what == 2 and arrays[2][0] != "e" else "t" if what == 2 else 1 - arrays[what].flat[0]
        )
        return tuple(arrays)  # type: ignore[return-value]

    monkeypatch.setitem(data.SOURCES, name, dataclasses.replace(source, load=changed))
    with pytest.raises(data.DataCorrupted, match=f"{name}: data or split has hash"):
        data.load(name)


@pytest.mark.parametrize("name", TABLE)
def test_loading_again_gives_the_same(name: str, fresh: None) -> None:
    first = data.load(name)
    data._load.cache_clear()
    np.random.seed(5)
    torch.manual_seed(5)
    again = data.load(name)
    assert torch.equal(first.inputs, again.inputs)
    assert first.sha256 == again.sha256 == data.SOURCES[name].sha256[data.SOURCES[name].usual]


def test_scale_of_the_images() -> None:
    digits, mnist = data.load("digits").inputs, data.load("mnist5k").inputs
    assert (digits.min(), digits.max()) == (0, 1)
    assert mnist.min().item() == pytest.approx((0 - 0.1307) / 0.3081, abs=1e-5)
    assert mnist.max().item() == pytest.approx((1 - 0.1307) / 0.3081, abs=1e-5)


def test_rows_are_those_of_the_images() -> None:
    rows, images = data.load("mnist5k_rows"), data.load("mnist5k")
    assert torch.equal(rows.inputs[:, 5], images.inputs[:, 0, 5])
    assert torch.equal(rows.labels, images.labels)


def test_japanese_vowels_keeps_the_official_test_set() -> None:
    dataset = data.load("japanese_vowels")
    assert (dataset.split[270:] == "e").all()
    assert not (dataset.split[:270] == "e").any()
    # nine speakers in order, 30 utterances each
    assert dataset.labels[:270].tolist() == [speaker for speaker in range(9) for _ in range(30)]


def test_vowels_are_standardised_by_the_frames_of_the_training_part() -> None:
    """Frames beyond an utterance's end are 0 and do not count."""
    inputs, _ = data.load("japanese_vowels").part("train")
    frames = inputs[(inputs != 0).any(-1)].double()
    assert len(frames) < 29 * len(inputs)
    assert frames.mean(0).abs().max() < 1e-4
    assert (frames.std(0, correction=0) - 1).abs().max() < 1e-4
    padded = (inputs == 0).all(-1)
    assert (padded[:, 1:] | ~padded[:, :-1]).all()  # zeros at the end alone
    everything = data.load("japanese_vowels").inputs
    assert (everything[(everything != 0).any(-1)].mean(0).abs() > 0.01).any()


@pytest.mark.parametrize("delay", [0, 3, 9])
def test_delayed_recall_holds_the_cue_only_before_the_delay(delay: int) -> None:
    dataset = data.load("delayed_recall", delay)
    assert dataset.inputs.shape[1:] == (2 + delay + 1, 20)
    assert dataset.timesteps == 3 + delay
    for label in range(4):
        cue = torch.zeros(20)
        cue[[label, label + 4, label + 8, label + 12]] = 1
        assert (dataset.inputs[dataset.labels == label][:, :2] == cue).all()
    go = dataset.inputs[:, :, 19]
    assert (go[:, -1] == 1).all()
    assert go[:, :-1].sum() == 0
    noise = dataset.inputs[:, 2:, :19]
    assert set(noise.unique().tolist()) == {0, 1}
    # one in ten, within 4 standard deviations
    assert abs(noise.mean().item() - 0.1) < 4 * 0.3 / noise.numel() ** 0.5
    by_label = torch.stack([noise[dataset.labels == label].mean(0) for label in range(4)])
    assert (by_label - 0.1).abs().max() < 0.08  # the noise tells nothing of the cue


def test_padding_of_japanese_vowels_is_said() -> None:
    """The mean length in its docstring; and that silence is padded, in what `list datasets` prints."""
    lengths = (data.load("japanese_vowels").inputs != 0).any(-1).sum(1)
    assert f"{lengths.double().mean().item():.1f} are speech" in str(japanese_vowels._japanese_vowels.__doc__)
    assert "silence" in data.SOURCES["japanese_vowels"].description


def test_delay_of_delayed_recall_alone() -> None:
    assert data.load("digits", 9) is data.load("digits", 2)
    assert data.load("delayed_recall").timesteps == data.load("delayed_recall", 4).timesteps == 7
    assert not torch.equal(data.load("delayed_recall", 3).inputs[:, 2:5], data.load("delayed_recall").inputs[:, 2:5])
    with pytest.raises(InvalidValue, match="delay must be 0 or more steps, not -1"):
        data.load("delayed_recall", -1)


def test_arrays_are_cached_whole(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made once; a second process reads them; nothing but the file is left behind."""
    from tasks.data.cache import cached_arrays

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made: list[int] = []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"a": np.arange(6).reshape(2, 3), "b": np.array([True])}

    first, again = cached_arrays("made", make), cached_arrays("made", make)
    assert len(made) == 1
    for found in (first, again):
        assert set(found) == {"a", "b"}
        assert (found["a"] == np.arange(6).reshape(2, 3)).all()
        assert found["a"].dtype == np.arange(1).dtype
    assert [path.name for path in (tmp_path / "neuron-suite/datasets").iterdir()] == ["made.npz"]


def test_what_is_drawn() -> None:
    assert {name for name, source in data.SOURCES.items() if source.drawn} == set(DRAWN)


@pytest.mark.parametrize("name", DRAWN)
def test_each_seed_draws_samples_of_its_own(name: str) -> None:
    """Others of the same kind: labels, parts and shapes stay."""
    first, second = data.load(name), data.load(name, seed=1)
    assert first is not second
    assert second is data.load(name, seed=1)
    assert first.inputs.shape == second.inputs.shape
    assert not torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.labels, second.labels)
    assert (first.split == second.split).all()


@pytest.mark.parametrize("name", [name for name in TABLE if name not in DRAWN])
def test_other_sets_are_the_same_for_all_seeds(name: str) -> None:
    assert data.load(name, seed=7) is data.load(name)


def test_cells_of_a_seed_train_on_its_samples() -> None:
    known = tasks.get("accuracy").settings | {"dataset": "delayed_recall", "width": 8}
    found = [prepare(tasks.Cell("accuracy", neuron, "cpu", seed, known))[0].inputs for neuron, seed in CELLS]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_binary_adding_by_its_rule() -> None:
    dataset = data.load("binary_adding", seed=5)
    bits, marks = dataset.inputs.unbind(-1)
    assert set(dataset.inputs.unique().tolist()) == {0, 1}
    assert (marks.sum(1) == 9).all()
    assert torch.equal((bits * marks).sum(1), dataset.labels)
    unmarked = bits[marks == 0].float()
    assert abs(unmarked.mean().item() - 0.5) < 4 * 0.5 / len(unmarked) ** 0.5
    by_label = torch.stack([bits[dataset.labels == label].float().mean(0) for label in (0, 9)])
    assert abs((by_label[1] - by_label[0]).mean().item() - 0.09) < 0.01  # all that a sum over all bits tells
    often = marks.float().mean(0)
    assert (often - 0.09).abs().max() < 4.5 * (0.09 * 0.91 / len(marks)) ** 0.5
    ones_at = (bits * marks).float().sum(0) / marks.float().sum(0)
    assert (ones_at - 0.5).abs().max() < 4.5 * 0.5 / (0.09 * len(marks)) ** 0.5  # no place is more often a one


def test_pixels_of_psmnist_in_the_order_of_the_permutation() -> None:
    sequence, images = data.load("psmnist5k"), data.load("mnist5k")
    order = pixel_permutation()
    assert sorted(order.tolist()) == list(range(784))
    for step in (0, 1, 400, 783):
        row, column = divmod(int(order[step]), 28)
        assert torch.equal(sequence.inputs[:, step, 0], images.inputs[:, 0, row, column])
    assert torch.equal(sequence.labels, images.labels)
    assert (sequence.split == images.split).all()


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_long_sets_are_left_to_who_names_them_or_has_time(profile: str) -> None:
    cells = plan.make(plan.Request(profile=profile, tasks=["accuracy"], neurons=["lif"], seeds=1))
    taken = {cell.dataset for cell in cells}
    assert taken.isdisjoint({"binary_adding", "psmnist5k"}) is (profile != "full")
    named = plan.make(plan.Request(profile=profile, tasks=["accuracy"], neurons=["lif"], datasets=["psmnist5k"]))
    assert {cell.dataset for cell in named} == {"psmnist5k"}
