"""A run's rows, provenance and answer go to results/published/NAME/, and the list of all runs is made anew."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from suite.publish.content import copy_run, is_published_run, published_files
from suite.publish.index import UNKNOWN, machines, parts, write_index
from suite.publish.names import check_name
from suite.runs.files import remove_leftovers
from suite.runs.folders import recover, replacing_folder
from suite.runs.store import RunError, planned_keys, read_provenance, read_results
from suite.runs.table import write_parquet

PUBLISHED = Path("results/published")
LARGEST_BYTES = 20 * 1024 * 1024
PATIENCE_S = 60.0


def publish(run: Path, name: str, force: bool, root: Path = PUBLISHED) -> Path:
    """Copy a run to `root`/`name` and return that folder; nothing is deleted but the run of that name it replaces.

    A run that is published already is left as it is (to send it on), with the list made anew.

    Raises:
        InvalidValue: the name is no plain folder name (see `check_name`).
        RunError: the run cannot be read or holds links; the folder of that name is no published run; or, without
            `force`: the run is from uncommitted code, incomplete, without provenance or too large, or would replace
            the run of another machine or date.
    """
    source = run.resolve()
    check_name(name, source.name)
    rows, provenance = read_results(run), read_provenance(run)
    published_files(source)
    faults = _faults(source, rows, provenance)
    with _alone(root):
        target = root.resolve() / name
        recover(target)
        remove_leftovers(root)
        in_place = target.is_dir() and target.samefile(source)
        if not in_place:
            check_target(source, target, str(target))
            faults += replaced(target, rows, provenance)
        if faults and not force:
            raise RunError(f"{run} is not published: {'; '.join(faults)}; --force publishes it all the same")
        if not in_place:
            _copy(source, target, rows)
        write_index(root)
    return root / name


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One publish at a time in a folder, which is made if it is not there."""
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    place = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    lock = Path(tempfile.gettempdir()) / f"neuron-suite-{user}-{place}.lock"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=PATIENCE_S):
            yield
    except Timeout as error:
        raise RunError(f"{root}: another publish has been at work for {PATIENCE_S:.0f} s; try again later") from error
    except OSError as error:
        raise RunError(f"{error.filename or root}: {error.strerror or error}") from error


def _faults(run: Path, rows: pd.DataFrame, provenance: Mapping[str, Any]) -> list[str]:
    """What speaks against publishing a run."""
    faults = []
    if provenance.get("dirty") is not False:
        faults.append("its code was not committed")
    known = {"date": provenance.get("date"), "machine": UNKNOWN not in machines(provenance).split("; ")}
    unknown = [what for what, there in known.items() if not there]
    if unknown:
        faults.append(f"its provenance.json has no {' and no '.join(unknown)}")
    bad = rows[rows.status.isin(["failed", "timeout"])].cell.nunique()
    if bad:
        faults.append(f"{bad} cells failed or ran out of time")
    unmeasured = planned_keys(run) - set(rows.cell)
    if unmeasured:
        faults.append(f"{len(unmeasured)} cells are not measured yet")
    size = sum(path.stat().st_size for path in published_files(run))
    if size > LARGEST_BYTES:
        faults.append(f"it has {size / 1e6:.0f} MB, more than {LARGEST_BYTES / 1e6:.0f} MB")
    return faults


def check_target(source: Path, target: Path, called: str) -> None:
    """That the folder of a published run, `called` so in messages, may be made anew.

    Raises:
        RunError: it is a link, holds something else, or contains the run that is to be published.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise RunError(f"{called} is {'a link' if target.is_symlink() else 'a file'}; take another --name")
    if target.is_dir() and any(target.iterdir()) and not is_published_run(target):
        raise RunError(f"{called} is no published run and is not replaced; take another --name")
    if target in source.parents:
        raise RunError(f"{source} lies in {called}, which it would replace; take another --name")
    if any(target.is_relative_to(source / entry.name) for entry in source.iterdir() if entry.is_dir()):
        raise RunError(f"{called} lies in the run that is to be published; publish from another folder")


def replaced(target: Path, rows: pd.DataFrame, provenance: Mapping[str, Any]) -> list[str]:
    """Why a run must not replace the one that is published as `target` unasked."""
    if not is_published_run(target):
        return []
    try:
        before, known = read_results(target), read_provenance(target)
    except RunError:
        return [f"it would replace the run {target.name}, which cannot be read"]
    if not _origin(known) <= _origin(provenance):
        told = f"{known.get('date', 'of unknown date')}, {machines(known)}"
        return [f"it would replace another run of the name {target.name} ({told}), which --name OTHER keeps"]
    lost = set(before.cell) - set(rows.cell)
    return [f"it lacks {len(lost)} cells of the run {target.name} that it would replace"] if lost else []


def _origin(provenance: Mapping[str, Any]) -> set[tuple[str, str]]:
    """When and where the parts of a run were measured first."""
    return {
        (str(part.get("began") or part.get("date")), json.dumps(part.get("machine"), sort_keys=True))
        for part in parts(provenance)
    }


def _copy(source: Path, target: Path, rows: pd.DataFrame) -> None:
    """Copy a run with its rows, which its results.parquet may lack: those of cells that a killed run left."""
    with replacing_folder(target) as new:
        copy_run(source, published_files(source), new, target)
        write_parquet(rows, new / "results.parquet")
        if any(len(read_results(folder)) != len(rows) for folder in (source, new)):
            raise RunError(f"{source} changed while it was published; publish it again")
        read_provenance(new)
