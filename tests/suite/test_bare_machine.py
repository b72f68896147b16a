"""The profile of a card where little more than torch is installed: what docs/gpu.md says it needs, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from suite.runs.store import read_results

REPOSITORY = Path(__file__).resolve().parent.parent.parent
STAND_IN = REPOSITORY / "tests" / "stand_in"
BARE = ("torch", "triton", "pandas", "pyarrow", "seaborn", "rich")
OWN = {"neurons", "tasks", "suite", "tests", "mirror"}
HOOK = """
import sys
from importlib.machinery import PathFinder

NAMES = frozenset({names!r})


class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in NAMES else super().find_spec(name, path, target)


sys.meta_path = [Bare if finder is PathFinder else finder for finder in sys.meta_path]
"""


def with_all_that_they_need(names: tuple[str, ...]) -> set[str]:
    """Distributions and what these require, as far as it is installed here."""
    found: set[str] = set()
    left = [*names]
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            required = [Requirement(text) for text in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError:
            continue
        left += [own.name for own in required if own.marker is None or own.marker.evaluate({"extra": ""})]
    return found


def missing_beside(names: tuple[str, ...]) -> list[str]:
    """The packages installed here, as they are imported, that a machine with these distributions lacks."""
    there = with_all_that_they_need(names)
    return sorted(
        package
        for package, owners in metadata.packages_distributions().items()
        if package not in OWN and not there & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
    )


def bare(folder: Path, names: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python on a machine that has these distributions alone, and the stand-in accelerator."""
    folder.mkdir()
    missing = missing_beside(names)
    assert {"sklearn", "mlxtend", "spikingjelly", "snntorch", "psutil", "scikit_posthocs"} <= set(missing)
    assert not {"torch", "numpy", "matplotlib", "filelock", "jinja2"} & set(missing)
    (folder / "sitecustomize.py").write_text(HOOK.format(names=missing))
    path = os.pathsep.join([str(folder), str(REPOSITORY), str(STAND_IN)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_card_is_measured_and_reported_with_little_more_than_torch(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = bare(
        tmp_path / "with",
        (*BARE, "scipy"),
        *("-m", "suite", "run", "--profile", "gpu", "--device", "mirror", "--out", str(run)),
        *("--tasks", "accuracy,training_speed", "--datasets", "digits,japanese_vowels,random_images"),
        *("--neurons", "lif", "--backends", "cpu,spikingjelly,snntorch,norse", "--seeds", "2"),
        *("--set", "width=4", "--set", "batch_size=4", "--set", "rounds=1", "--set", "epochs=1"),
    )
    assert done.returncode == 0, done.stderr
    assert (run / "report/index.html").is_file()
    cells = read_results(run).drop_duplicates("cell")
    status = {(own.task, own.dataset, own.backend): own.status for own in cells.itertuples()}
    ok = {place for place, known in status.items() if known == "ok"}
    assert ok == {("accuracy", "japanese_vowels", "cpu"), ("training_speed", "random_images", "cpu")}
    assert {known for place, known in status.items() if place not in ok} == {"unavailable"}
    told = dict(zip(cells.backend + " " + cells.dataset, cells.detail, strict=True))
    assert told["cpu digits"] == "data set digits needs the package sklearn, which is not installed"
    assert told["spikingjelly random_images"].startswith("the package spikingjelly is not installed: pip install")

    rows = (run / "results.parquet").read_bytes()
    again = bare(tmp_path / "without", BARE, "-m", "suite", "report", str(run))
    assert again.returncode == 2
    assert re.fullmatch(r"suite: the report needs the package scipy, which is not installed; .*\n", again.stderr)
    assert (run / "results.parquet").read_bytes() == rows


def test_nothing_that_such_a_machine_lacks_is_imported_to_measure(tmp_path: Path) -> None:
    """What a report needs in addition is imported by the first number that asks for it."""
    modules = (
        "neurons, tasks, suite.cli, suite.publish.terminal, suite.runs.measure, suite.runs.tuning, suite.runs.plan"
    )
    done = bare(tmp_path / "without", BARE, "-c", f"import {modules}")
    assert done.returncode == 0, done.stderr
