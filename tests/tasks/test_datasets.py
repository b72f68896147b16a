"""Frozen data: hashes, disjoint stratified splits, and refusal of changed data."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tasks.accuracy import datasets


@pytest.mark.parametrize("name", datasets.names())
def test_loads_with_its_frozen_hash(name: str) -> None:
    source = datasets.SOURCES[name]
    dataset = datasets.load(name)
    assert dataset.sha256 in source.sha256.values()
    assert dataset.inputs.dtype == torch.float32
    assert len(dataset.inputs) == len(dataset.labels) == len(dataset.split)
    sizes = [len(dataset.part(part)[1]) for part in datasets.SPLITS]
    assert sum(sizes) == len(dataset.labels)
    assert min(sizes) > 0
    assert (dataset.timesteps is not None) == source.sequence


@pytest.mark.parametrize("name", ["digits", "mnist5k", "delayed_recall"])
def test_splits_are_stratified(name: str) -> None:
    dataset = datasets.load(name)
    parts = [dataset.part(part)[1] for part in datasets.SPLITS]
    shares = [np.bincount(labels, minlength=dataset.classes) / len(labels) for labels in parts]
    assert np.abs(shares[0] - shares[1]).max() < 0.01
    assert np.abs(shares[0] - shares[2]).max() < 0.01


def test_changed_data_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    source = datasets.SOURCES["digits"]

    def changed(delay: int) -> datasets.Arrays:
        inputs, labels, split = source.load(delay)
        inputs[0, 0] += 1
        return inputs, labels, split

    monkeypatch.setitem(datasets.SOURCES, "digits", dataclasses.replace(source, load=changed))
    datasets._load.cache_clear()
    with pytest.raises(datasets.DataCorrupted, match="digits: data or split has hash"):
        datasets.load("digits")
    datasets._load.cache_clear()


def test_japanese_vowels_keeps_the_official_test_set() -> None:
    dataset = datasets.load("japanese_vowels")
    assert dataset.inputs.shape == (640, 29, 12)
    assert (dataset.split[270:] == "e").all()
    assert not (dataset.split[:270] == "e").any()


@pytest.mark.parametrize("delay", [0, 3, 9])
def test_delayed_recall_holds_the_cue_only_before_the_delay(delay: int) -> None:
    dataset = datasets.load("delayed_recall", delay)
    assert dataset.inputs.shape[1:] == (2 + delay + 1, 20)
    cues = {int(label): dataset.inputs[dataset.labels == label][:, :2] for label in range(4)}
    for cue in cues.values():
        assert (cue == cue[0]).all()
    assert not torch.equal(cues[0][0], cues[1][0])
    go = dataset.inputs[:, :, -1]
    assert (go[:, -1] == 1).all()
    assert go[:, :-1].sum() == 0
