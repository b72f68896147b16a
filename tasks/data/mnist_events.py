"""Events of the embedded MNIST images, made as N-MNIST was made from MNIST: three saccades before an event camera.

Orchard et al. 2015 (doi:10.3389/fnins.2015.00437) moved a sensor of 34×34 pixels along a triangle in three saccades of
100 ms, and its pixels told changes of brightness. Here the image moves, in steps of 5 ms, and an ideal pixel fires when
its brightness has changed by a quarter of full white since it last fired: on for brighter, off for darker. All of it is
arithmetic of whole numbers, so that the events are the same on every machine.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np

from neurons import InvalidValue
from tasks.data.cache import cached_arrays
from tasks.data.dataset import Arrays, Card, Source, frozen_split
from tasks.data.events import POLARITIES, Events, counted
from tasks.data.mnist import images_and_labels

SIDE, IMAGE = 34, 28
SACCADES, STEPS, STEP_MICROSECONDS = 3, 20, 5000
CORNERS = ((0, 0), (3, 6), (6, 0), (0, 0))
"""Where the image's corner is at the ends of the saccades, (x, y) in pixels: down right, up right, back left."""
WHITE, PARTS = 255, STEPS**2
"""A brightness is a pixel's times PARTS, the number of parts into which its square is cut by steps of a saccade."""
THRESHOLD = WHITE * PARTS // 4
BATCH = 250


def _positions() -> list[tuple[int, int]]:
    """The place of the image's corner at each step, in twentieths of a pixel, from rest on."""
    found = [(0, 0)]
    for (x, y), (next_x, next_y) in pairwise(CORNERS):
        for step in range(1, STEPS + 1):
            found.append((x * STEPS + (next_x - x) * step, y * STEPS + (next_y - y) * step))
    return found


def _moved(images: np.ndarray, x: int, y: int) -> np.ndarray:
    """Brightness [N, 34, 34] of images [N, 28, 28] whose corner is at (x, y), in twentieths of a pixel: bilinear."""
    field = np.zeros((len(images), SIDE + 1, SIDE + 1), np.int32)
    (whole_x, part_x), (whole_y, part_y) = divmod(x, STEPS), divmod(y, STEPS)
    for right, weight_x in ((0, STEPS - part_x), (1, part_x)):
        for below, weight_y in ((0, STEPS - part_y), (1, part_y)):
            top, left = whole_y + below, whole_x + right
            field[:, top : top + IMAGE, left : left + IMAGE] += weight_x * weight_y * images
    return field[:, :SIDE, :SIDE]


def _make() -> dict[str, np.ndarray]:
    """All events in the order of samples and time: sample, step, y, x and polarity of each."""
    images = images_and_labels()[0].reshape(-1, IMAGE, IMAGE).astype(np.int32)
    found = [_events_of(images[first : first + BATCH], first) for first in range(0, len(images), BATCH)]
    sample, step, y, x, polarity = np.concatenate(found, 1)
    return {
        "ends": np.cumsum(np.bincount(sample, minlength=len(images))),
        "step": step.astype(np.uint8),
        "y": y.astype(np.uint8),
        "x": x.astype(np.uint8),
        "polarity": polarity.astype(np.uint8),
    }


def _events_of(images: np.ndarray, first: int) -> np.ndarray:
    positions = _positions()
    known = _moved(images, *positions[0])
    events = []
    for step, position in enumerate(positions[1:]):
        change = _moved(images, *position) - known
        brighter, darker = change >= THRESHOLD, change <= -THRESHOLD
        for polarity, fires in enumerate((darker, brighter)):
            sample, y, x = np.nonzero(fires)
            events.append(np.stack([sample + first, np.full_like(x, step), y, x, np.full_like(x, polarity)]))
        known = np.where(brighter | darker, known + change, known)
    together = np.concatenate(events, 1)
    sample, step = together[:2]
    return together[:, np.argsort(sample * (SACCADES * STEPS) + step, kind="stable")]


@cache
def _kept() -> dict[str, np.ndarray]:
    return cached_arrays("mnist5k_events", _make)


def events(sample: int) -> Events:
    """The events of one of the 5,000 images, in the order of time; times are those of the steps' ends, in µs."""
    arrays = _kept()
    begin, end = (0 if sample == 0 else int(arrays["ends"][sample - 1])), int(arrays["ends"][sample])
    step, x, y, polarity = (arrays[name][begin:end].astype(np.int64) for name in ("step", "x", "y", "polarity"))
    return Events((step + 1) * STEP_MICROSECONDS, x, y, polarity)


def _mnist_events(frames: int) -> Arrays:
    """Counts [5000, T, 2, 34, 34], a frame as long as another.

    Raises:
        InvalidValue: the steps cannot be cut into so many frames.
    """
    total = SACCADES * STEPS
    if frames < 1 or total % frames:
        raise InvalidValue(f"mnist5k_events has {total} steps, which cannot be cut into {frames} equal frames")
    arrays = _kept()
    ends = arrays["ends"]
    inputs = np.empty((len(ends), frames, POLARITIES, SIDE, SIDE), np.uint8)
    for first in range(0, len(ends), BATCH):
        own = slice(0 if first == 0 else ends[first - 1], ends[min(first + BATCH, len(ends)) - 1])
        numbers = np.diff(ends[first : first + BATCH], prepend=own.start)
        part = np.repeat(np.arange(len(numbers)) * frames, numbers) + arrays["step"][own] // (total // frames)
        places = Events(part, *(arrays[name][own].astype(np.int64) for name in ("x", "y", "polarity")))
        batch = counted(places, part, len(numbers) * frames, SIDE, SIDE, "mnist5k_events")
        inputs[first : first + BATCH] = batch.reshape(-1, *inputs.shape[1:])
    return inputs, images_and_labels()[1], frozen_split("mnist5k")


SOURCES = {
    "mnist5k_events": Source(
        "events of 5,000 MNIST images in three saccades, counts in frames of 2×34×34, T = 6",
        network="conv5",
        load=_mnist_events,
        sequence=True,
        budgets={
            "smoke": {"epochs": 1, "width": 4, "train_samples": 128},
            "quick": {"epochs": 2, "width": 4, "train_samples": 1000, "batch_size": 32, "frames": 3},
            "full": {"epochs": 30},
        },
        title="MNIST events",
        argument="frames",
        usual=6,
        card=Card(
            "counts",
            "CC BY-SA 3.0 (MNIST)",
            "made here by the rule of Orchard et al. 2015, doi:10.3389/fnins.2015.00437",
            step="50 ms",
            splits="frozen, stratified by class; that of mnist5k",
        ),
        sha256={6: "2d8ca63989096e385d00d8ed45e02ef4d4fba866a6d401dee8b7037e46de885d"},
    )
}
