"""Arrays that are slow to make, kept in the user's cache folder: complete or absent. Safe under parallel processes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from neurons import user_folders
from tasks.data.dataset import Arrays, DataCorrupted

IN_ONE_PROCESS = 256
"""So many samples are made before further processes would have started."""
TOLD_EVERY = 10.0
"""Seconds between two lines on progress where no terminal shows a bar."""


def folder() -> Path:
    """Where arrays are kept; `XDG_CACHE_HOME` says where the cache is."""
    return user_folders.cache() / "datasets"


def cached_arrays(name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of `make`, computed once on this machine. The caller checks their hash."""
    path = folder() / f"{name}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
            np.savez_compressed(file, **make())  # type: ignore[arg-type]
        os.replace(file.name, path)
    with np.load(path) as stored:
        return {key: stored[key] for key in stored.files}


def built(
    name: str,
    state: object,
    samples: Sequence[Any],
    make: Callable[[Any], np.ndarray],
    labels: np.ndarray,
    split: np.ndarray,
) -> Arrays:
    """The inputs that `make` makes of each sample, one array in a file that is mapped and not read whole.

    Built once, by all cores; a killed build leaves nothing that another takes for a whole one, and processes that ask
    meanwhile wait for it.

    Args:
        state: what decides the result beside `name`; another state is built anew.
        samples: what `make` is called with, in the order of labels and split.
        make: a function of a module (it travels to other processes), whose arrays have one shape and type.

    Raises:
        DataCorrupted: what `make` raises for a file that cannot be read, or a kept file that changed.
    """
    digest = hashlib.sha256(json.dumps([str(state), len(samples)]).encode()).hexdigest()[:16]
    path = folder() / f"{name}-{digest}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock"), mode=0o666):
        if not path.exists():
            _build(path, name, samples, make, labels, split)
    return _opened(path)


def size_of(name: str) -> int:
    """Bytes of what is kept under a name now, complete builds alone."""
    found = (whole.with_name("inputs.npy") for whole in folder().glob(f"{name}-*/complete.json"))
    return sum(path.stat().st_size for path in found if path.exists())


def _build(
    path: Path,
    name: str,
    samples: Sequence[Any],
    make: Callable[[Any], np.ndarray],
    labels: np.ndarray,
    split: np.ndarray,
) -> None:
    for left in path.parent.glob(f".{path.name}.*"):  # of a build that was killed; the lock is ours
        shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        first = make(samples[0])
        inputs = np.lib.format.open_memmap(
            draft / "inputs.npy", mode="w+", dtype=first.dtype, shape=(len(samples), *first.shape)
        )
        with _made(samples, make) as arrays:
            for index, array in enumerate(_told(arrays, len(samples), f"{name}: {len(samples):,} samples")):
                inputs[index] = array
        inputs.flush()
        del inputs
        np.save(draft / "labels.npy", labels)
        np.save(draft / "split.npy", split)
        size = (draft / "inputs.npy").stat().st_size
        (draft / "complete.json").write_text(json.dumps({"samples": len(samples), "bytes": size}))
        os.replace(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _opened(path: Path) -> Arrays:
    try:
        told = json.loads((path / "complete.json").read_text())
        if (path / "inputs.npy").stat().st_size != told["bytes"]:
            raise ValueError("has another size than when it was written")
        inputs = np.load(path / "inputs.npy", mmap_mode="c")
        labels, split = np.load(path / "labels.npy"), np.load(path / "split.npy")
    except (OSError, ValueError, KeyError) as error:
        raise DataCorrupted(f"{path}: {error}; delete this folder, and it is made anew") from error
    return inputs, labels, split


@contextlib.contextmanager
def _made(samples: Sequence[Any], make: Callable[[Any], np.ndarray]) -> Iterator[Iterator[np.ndarray]]:
    """What is made of all samples in their order, by as many processes as there are cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(samples) <= IN_ONE_PROCESS or cores == 1 or multiprocessing.current_process().daemon:
        yield map(make, samples)
        return
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield pool.map(make, samples, chunksize=16)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _told(arrays: Iterator[np.ndarray], total: int, what: str) -> Iterator[np.ndarray]:
    """The same, with a bar on a terminal and a line now and then elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(arrays, what, total, console=Console(stderr=True), transient=True)
        return
    told = time.monotonic()
    for number, array in enumerate(arrays, 1):
        yield array
        if time.monotonic() - told > TOLD_EVERY:
            told = time.monotonic()
            print(f"{what}, {number:,} made", file=sys.stderr)
