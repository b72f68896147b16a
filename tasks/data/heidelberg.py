"""Spiking Heidelberg Digits and Spiking Speech Commands (Cramer et al. 2022): spikes of 700 model nerve fibres.

HDF5 files, read by h5py (extra `audio`). Files of SSC are its own: the list of a package in use names those of SHD.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.data.cache import built
from tasks.data.dataset import Arrays, Card, DataCorrupted, Published, Source, held_out
from tasks.data.events import stored
from tasks.data.location import Download, find, state

if TYPE_CHECKING:
    import h5py

FIBRES, SUMMED = 700, 5
CHANNELS = FIBRES // SUMMED
SECONDS = 1.4
"""Longer than any recording; the first step begins with the recording."""
SITE = "https://zenkelab.org/datasets/"
PARTS = {"shd": {"train": "t", "test": "e"}, "ssc": {"train": "t", "valid": "v", "test": "e"}}
DOWNLOADS = {
    "shd": Download(
        "shd",
        ("shd_train.h5", "shd_test.h5"),
        SITE,
        "180 MB",
        {
            "shd_train.h5.zip": "f3252aeb598ac776c1b526422d90eecb",
            "shd_test.h5.zip": "1503a5064faa34311c398fb0a1ed0a6f",
        },
    ),
    "ssc": Download(
        "ssc",
        ("ssc_train.h5", "ssc_valid.h5", "ssc_test.h5"),
        SITE,
        "2.6 GB",
        {
            "ssc_train.h5.zip": "d102be95e7144fcc0553d1f45ba94170",
            "ssc_valid.h5.zip": "b4eee3516a4a90dd0c71a6ac23a8ae43",
            "ssc_test.h5.zip": "a35ff1e9cffdd02a20eb850c17c37748",
        },
    ),
}


def _audio(name: str, frames: int) -> Arrays:
    root = find(name, DOWNLOADS[name])
    samples, labels, letters = [], [], []
    for part, letter in PARTS[name].items():
        path = root / f"{name}_{part}.h5"
        own_labels, speakers = _labels(path)
        samples += [(path, index) for index in range(len(own_labels))]
        labels.append(own_labels)
        own = np.full(len(own_labels), letter)
        letters.append(_validation(path, own_labels, speakers) if letter == "t" and "valid" not in PARTS[name] else own)
    make = partial(read_bins, frames=frames)
    every, split = np.concatenate(labels), np.concatenate(letters)
    inputs, _, _ = built(f"{name}-{frames}", state(name, DOWNLOADS[name]), samples, make, every, split)
    return inputs, every, split


def _labels(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The label of each recording and, where the file has it, who speaks."""
    import h5py

    try:
        with h5py.File(path) as file:
            labels = file["labels"][:].astype(np.int64)
            if not len(labels) == len(file["spikes/times"]) == len(file["spikes/units"]):
                raise DataCorrupted(f"{path}: labels, spikes/times and spikes/units are not as many")
            return labels, file["extra/speaker"][:] if "extra/speaker" in file else None
    except (OSError, KeyError) as error:
        raise DataCorrupted(f"{path}: {error}") from error


def _validation(path: Path, labels: np.ndarray, speakers: np.ndarray | None) -> np.ndarray:
    """SHD has no validation set: of its training set that of the last speaker, so that nobody is in both."""
    known = [] if speakers is None else sorted(set(speakers.tolist()))
    if len(known) < 2:
        print(f"{path}: names no two speakers; each tenth recording of a class is validation", file=sys.stderr)
        return held_out(labels)
    return np.where(speakers == known[-1], "v", "t")


_open: dict[tuple[Path, int], h5py.File] = {}
"""The file that was read last, by its path and time of change."""


def _opened(path: Path) -> h5py.File:
    import h5py

    key = (path, path.stat().st_mtime_ns)
    if key not in _open:
        for file in _open.values():
            file.close()
        _open.clear()
        _open[key] = h5py.File(path)
    return _open[key]


def read_bins(sample: tuple[Path, int], frames: int) -> np.ndarray:
    """Counts [T, 140] of one recording: five neighbouring fibres are one channel, 1.4 s are T steps.

    Raises:
        DataCorrupted: the file cannot be read, or a spike is not of one of 700 fibres within the time.
    """
    path, index = sample
    try:
        file = _opened(path)
        times = np.asarray(file["spikes/times"][index], np.float64)
        units = np.asarray(file["spikes/units"][index], np.int64)
    except (OSError, KeyError) as error:
        raise DataCorrupted(f"{path}: recording {index}: {error}") from error
    if len(times) != len(units):
        raise DataCorrupted(f"{path}: recording {index} has {len(times)} times and {len(units)} units")
    if len(times) and (units.min() < 0 or units.max() >= FIBRES or times.min() < 0 or times.max() >= SECONDS):
        raise DataCorrupted(f"{path}: recording {index} has a spike beyond {FIBRES} fibres or {SECONDS} s")
    step = np.minimum((times * (frames / SECONDS)).astype(np.int64), frames - 1)
    counts = np.bincount(step * CHANNELS + units // SUMMED, minlength=frames * CHANNELS)
    return stored(counts, np.uint8, path).reshape(frames, CHANNELS)


def _source(name: str, title: str, published: Published, splits: str) -> Source:
    return Source(
        f"spikes of {published.samples:,} spoken words in {published.classes} classes, counts in 140 channels, T = 100",
        network="mlp",
        load=partial(_audio, name),
        sequence=True,
        budgets={
            "smoke": {"epochs": 1, "width": 32, "train_samples": 256},
            "quick": {"epochs": 10},
            "full": {"epochs": 60},
        },
        title=title,
        argument="frames",
        usual=100,
        card=Card(
            "counts",
            "CC BY 4.0",
            "Cramer et al. 2022, doi:10.1109/TNNLS.2020.3044364",
            step="14 ms",
            splits=splits,
        ),
        download=DOWNLOADS[name],
        published=published,
    )


SOURCES = {
    "shd": _source(
        "shd",
        "Spiking Heidelberg Digits",
        Published((CHANNELS,), 20, 8_156, 2_264, "shd-{}"),
        "official test set; of the official training set the last speaker is validation. To choose by the test set, as "
        "many papers do, is what accuracy_paper_style reports and nothing else",
    ),
    "ssc": _source(
        "ssc",
        "Spiking Speech Commands",
        Published((CHANNELS,), 35, 85_447, 20_382, "ssc-{}"),
        "official training, validation and test sets",
    ),
}
