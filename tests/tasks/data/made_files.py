"""Small files in the formats in which data sets are published, each written from the format's description alone.

Every function returns what a loader must find: (inputs as numbers, label) by sample in the order of the loader.
"""

from __future__ import annotations

import csv
import pickle
import struct
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

RANDOM = np.random.Generator(np.random.PCG64(16))
Sample = tuple[np.ndarray, int]


def cifar10(root: Path, samples: int = 40, test: int = 10) -> tuple[list[Sample], list[Sample]]:
    """Five pickled batches of rows of 3,072 bytes (1,024 red, green, blue), and one of tests."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    return (
        [own for n in range(5) for own in _batch(folder / f"data_batch_{n + 1}", samples // 5, 10, "labels", n)],
        _batch(folder / "test_batch", test, 10, "labels"),
    )


def cifar100(root: Path, samples: int = 40, test: int = 10) -> tuple[list[Sample], list[Sample]]:
    folder = root / "cifar-100-python"
    folder.mkdir(parents=True)
    train = _batch(folder / "train", samples, 100, "fine_labels")
    return train, _batch(folder / "test", test, 100, "fine_labels")


def _batch(path: Path, samples: int, classes: int, name: str, begin: int = 0) -> list[Sample]:
    images = RANDOM.integers(0, 256, (samples, 3, 32, 32), dtype=np.uint8)
    labels = [(begin + index) % min(classes, 4) for index in range(samples)]
    content = {"data": images.reshape(samples, -1), name: labels, "filenames": [f"{n}.png" for n in range(samples)]}
    path.write_bytes(pickle.dumps(content, protocol=2))
    return list(zip(images, labels, strict=True))


def mnist(root: Path, samples: int = 40, test: int = 10) -> tuple[list[Sample], list[Sample]]:
    """IDX files: a magic number, the sizes (32 bits, big-endian), then the bytes."""
    folder = root / "MNIST/raw"
    folder.mkdir(parents=True)
    parts = []
    for prefix, count in (("train", samples), ("t10k", test)):
        images = RANDOM.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 4
        sizes = struct.pack(">IIII", 0x803, count, 28, 28)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(sizes + images.tobytes())
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + labels.tobytes())
        parts.append([(image[None], int(label)) for image, label in zip(images, labels, strict=True)])
    return parts[0], parts[1]


def tiny_imagenet(root: Path, samples: int = 4, test: int = 6) -> tuple[list[Sample], list[Sample]]:
    """Folders of JPEG files by class; the validation images in one folder, their classes in a table. One is grey."""
    base = root / "tiny-imagenet-200"
    classes = ["n02", "n01", "n03"]
    (base / "val/images").mkdir(parents=True)
    (base / "wnids.txt").write_text("\n".join(classes))
    train = []
    for label, name in enumerate(classes):
        folder = base / "train" / name / "images"
        folder.mkdir(parents=True)
        train += [(_jpeg(folder / f"{name}_{n}.JPEG", grey=n == 0), label) for n in range(samples)]
    lines, tests = [], []
    for n in range(test):
        tests.append((_jpeg(base / f"val/images/val_{n}.JPEG"), n % 3))
        lines.append(f"val_{n}.JPEG\t{classes[n % 3]}\t0\t0\t63\t63")
    (base / "val/val_annotations.txt").write_text("\n".join(lines) + "\n")
    return train, tests


def _jpeg(path: Path, grey: bool = False) -> np.ndarray:
    """A picture of one colour a quarter, which JPEG keeps well."""
    corners = RANDOM.integers(0, 256, (2, 2, 1 if grey else 3), dtype=np.uint8)
    image = corners.repeat(32, 0).repeat(32, 1)
    Image.fromarray(image[..., 0] if grey else image).save(path, quality=95)
    return np.broadcast_to(image, (64, 64, 3)).transpose(2, 0, 1)


EventList = list[tuple[int, int, int, int]]
"""(t, x, y, polarity)"""


def events(count: int, size: int, begin: int = 0, step: int = 7) -> EventList:
    places = RANDOM.integers(0, size, (count, 2))
    signs = RANDOM.integers(0, 2, count)
    return [(begin + step * n, int(x), int(y), int(p)) for n, ((x, y), p) in enumerate(zip(places, signs, strict=True))]


def aedat2(path: Path, recorded: EventList) -> None:
    """AEDAT 2.0: comments, then address and time of each event, big-endian. The address of CIFAR10-DVS: bit 0 is 1 for
    off, bits 1-7 are 127 − y, bits 8-14 are 127 − x."""
    header = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n#End Of ASCII Header\r\n"
    words = [struct.pack(">II", 127 - x << 8 | 127 - y << 1 | 1 - p, t) for t, x, y, p in recorded]
    path.write_bytes(header + b"".join(words))


def cifar10_dvs(root: Path, numbers: tuple[int, ...]) -> dict[tuple[str, int], EventList]:
    """Recordings of those numbers of each class."""
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    written = {}
    for name in names:
        (root / name).mkdir(parents=True)
        for number in numbers:
            written[name, number] = events(60, 128)
            aedat2(root / name / f"cifar10_{name}_{number}.aedat", written[name, number])
    return written


def aedat3(path: Path, recorded: EventList, packet: int = 16) -> None:
    """AEDAT 3.1: packets of polarity events (kind 1, 8 bytes each), and one of another kind (frames are skipped)."""
    content = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"
    content += struct.pack("<HHIIIIII", 3, 1, 12, 4, 0, 2, 2, 2) + bytes(24)
    for first in range(0, len(recorded), packet):
        part = recorded[first : first + packet]
        content += struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, len(part), len(part), len(part))
        content += b"".join(struct.pack("<II", x << 17 | y << 2 | p << 1 | 1, t) for t, x, y, p in part)
    path.write_bytes(content)


def dvs128_gesture(root: Path) -> list[tuple[str, int, EventList]]:
    """Five recordings of two gestures, one of a person who is held out of the training: (letter, label, events)."""
    base = root / "DvsGesture"
    base.mkdir(parents=True)
    lists: dict[str, list[str]] = {"train": [], "test": []}
    written = []
    people = (("user01_lab", "train", "t"), ("user02_led", "train", "t"), ("user23_lab", "train", "v"))
    for name, part, letter in (*people, ("user24_led", "test", "e"), ("user29_lab", "test", "e")):
        recorded = events(120, 128, begin=1000)
        aedat3(base / f"{name}.aedat", recorded)
        first, second = recorded[10][0], recorded[70][0]
        cuts = [(3, first, second), (11, second, recorded[110][0])]
        with (base / f"{name}_labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("class", "startTime_usec", "endTime_usec"), *cuts])
        lists[part].append(f"{name}.aedat")
        written += [
            (letter, label - 1, [own for own in recorded if begin <= own[0] < end]) for label, begin, end in cuts
        ]
    for part, names in lists.items():
        (base / f"trials_to_{part}.txt").write_text("\n".join(names) + "\n")
    return written


def n_mnist(root: Path, samples: int = 2) -> list[tuple[str, int, EventList]]:
    """Files of 40 bits an event: x, y, then polarity and time in 1 and 23 bits, big-endian. Times beyond 16 bits."""
    written = []
    for part in ("Train", "Test"):
        for digit in range(10):
            folder = root / part / str(digit)
            folder.mkdir(parents=True)
            for n in range(samples):
                recorded = events(45, 34, step=6000)
                words = [bytes([x, y]) + (p << 23 | t).to_bytes(3, "big") for t, x, y, p in recorded]
                (folder / f"{n:05d}.bin").write_bytes(b"".join(words))
                written.append((part, digit, recorded))
    return written


def heidelberg(root: Path, name: str, parts: dict[str, int]) -> dict[str, list[tuple[np.ndarray, np.ndarray, int]]]:
    """HDF5 with spikes/times (16-bit floats) and spikes/units of each recording, labels, and who speaks."""
    root.mkdir(parents=True, exist_ok=True)
    written: dict[str, list[tuple[np.ndarray, np.ndarray, int]]] = {}
    for part, count in parts.items():
        times = [np.sort(RANDOM.random(30)).astype(np.float16) * np.float16(1.25) for _ in range(count)]
        units = [RANDOM.integers(0, 700, 30).astype(np.uint16) for _ in range(count)]
        labels = np.arange(count, dtype=np.uint16) % 4
        with h5py.File(root / f"{name}_{part}.h5", "w") as file:
            for key, rows, kind in (("times", times, np.float16), ("units", units, np.uint16)):
                own = file.create_dataset(f"spikes/{key}", (count,), dtype=h5py.vlen_dtype(kind))
                for index, row in enumerate(rows):
                    own[index] = row
            file["labels"] = labels
            file["extra/speaker"] = np.arange(count, dtype=np.uint16) // max(1, count // 3)
        written[part] = [(t.astype(float), u, int(label)) for t, u, label in zip(times, units, labels, strict=True)]
    return written
