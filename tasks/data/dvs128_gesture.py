"""DVS128 Gesture (Amir et al. 2017): eleven gestures of 29 people before an event camera of 128×128.

Cut by its tables of labels there are 1,176 gestures for training and 288 for test, as spikingjelly has them; another
cut in use (tonic's) has 1,077 and 264, and the two must not be mixed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tasks.data.cache import built
from tasks.data.dataset import Arrays, Card, DataCorrupted, Published, Source
from tasks.data.events import Events, frames_of_equal_number, read_aedat3, stored
from tasks.data.location import Download, find, state

ROOT = "DvsGesture"
SENSOR, GESTURES = 128, 11
HELD_OUT = ("user20", "user21", "user22", "user23")
"""People of the training set whose gestures are the validation set, so that nobody is in both; user 20 to 23 of 23."""
DOWNLOAD = Download(
    "dvs128_gesture",
    (f"{ROOT}/trials_to_train.txt", f"{ROOT}/trials_to_test.txt"),
    "https://ibm.ent.box.com/s/3hiq58ww1pbbjrinh367ykfdf60xsfm8/folder/50167556794",
    "2.9 GB",
    {"DvsGesture.tar.gz": "8a5c71fb11e24e5ca5b11866ca6c00a1"},
)


@dataclass(frozen=True)
class Trial:
    """The gestures of one recording: (label from 0, begin and end in µs)."""

    path: Path
    gestures: tuple[tuple[int, int, int], ...]


def _gesture(frames: int) -> Arrays:
    root = find("dvs128_gesture", DOWNLOAD) / ROOT
    trials, letters = [], []
    for part, letter in (("train", "t"), ("test", "e")):
        for name in (root / f"trials_to_{part}.txt").read_text().split():
            trials.append(_trial(root / name))
            letters.append("v" if letter == "t" and name.startswith(HELD_OUT) else letter)
    if "v" not in letters:  # of a part of the set that has none of these people
        letters = _last_recording_held_out(letters)
    labels = np.array([label for trial in trials for label, _, _ in trial.gestures], np.int64)
    split = np.repeat(letters, [len(trial.gestures) for trial in trials])
    cuts = [(trial.path, index) for trial in trials for index in range(len(trial.gestures))]
    known = {trial.path: trial for trial in trials}
    make = partial(read_frames, frames=frames, trials=known)
    own = [state("dvs128_gesture", DOWNLOAD), [(str(path), path.stat().st_size) for path in known]]
    inputs, _, _ = built(f"dvs128_gesture-{frames}", own, cuts, make, labels, split)
    return inputs, labels, split


def _last_recording_held_out(letters: list[str]) -> list[str]:
    last = max((index for index, letter in enumerate(letters) if letter == "t"), default=None)
    if last is None or letters.count("t") < 2:
        raise DataCorrupted("DVS128 Gesture: trials_to_train.txt names fewer than two recordings")
    return [*letters[:last], "v", *letters[last + 1 :]]


def _trial(path: Path) -> Trial:
    table = path.with_name(f"{path.stem}_labels.csv")
    for own in (path, table):
        if not own.exists():
            raise DataCorrupted(f"{own}: named by the list of trials, and missing")
    try:
        with table.open(newline="") as file:
            rows = [[int(value) for value in row] for row in list(csv.reader(file))[1:] if row]
        gestures = tuple((label - 1, begin, end) for label, begin, end in rows)
    except ValueError as error:
        raise DataCorrupted(f"{table}: {error}; a line is class,begin,end") from error
    if not all(0 <= label < GESTURES for label, _, _ in gestures):
        raise DataCorrupted(f"{table}: a class is not 1 to {GESTURES}")
    return Trial(path, gestures)


_read: dict[tuple[Path, int], Events] = {}
"""The events of the recording that was read last: its gestures are made one after the other."""


def _events(path: Path) -> Events:
    key = (path, path.stat().st_mtime_ns)
    if key not in _read:
        _read.clear()
        _read[key] = read_aedat3(path)
    return _read[key]


def read_frames(cut: tuple[Path, int], frames: int, trials: dict[Path, Trial]) -> np.ndarray:
    """Counts [T, 2, 128, 128] of one gesture of a recording."""
    path, index = cut
    _, begin, end = trials[path].gestures[index]
    events = _events(path).between(begin, end)
    return stored(frames_of_equal_number(events, frames, SENSOR, SENSOR, path), np.int16, path)


SOURCES = {
    "dvs128_gesture": Source(
        "1,464 gestures, counts of events in frames of 2×128×128, T = 20",
        network="vgg11",
        load=_gesture,
        sequence=True,
        budgets={
            "smoke": {"epochs": 1, "width": 4, "train_samples": 64},
            "quick": {"epochs": 10, "width": 32},
            "full": {"epochs": 100},
        },
        title="DVS128 Gesture",
        argument="frames",
        usual=20,
        card=Card(
            "counts",
            "CC BY 4.0",
            "Amir et al. 2017, CVPR",
            step="a twentieth of a gesture's events",
            splits="official; of the training set users 20 to 23 are validation",
        ),
        download=DOWNLOAD,
        published=Published((2, SENSOR, SENSOR), GESTURES, 1_176, 288, "dvs128_gesture-{}", number=2),
    )
}
