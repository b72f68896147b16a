"""Planted faults that the tests should find: `nox -s mutants [-- AREA|FILE ...] [--limit N] [--seed N]`.

cosmic-ray changes one operator, number or condition at a time and runs the area's tests in a process of their own, so
that workers and generated kernels meet the changed file too. It works in a copy of the tree. Without names, the files
that differ from main (or from the last commit, on main) are taken. The score by area is printed with what survived.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkResult

from tests.conftest import REPOSITORY

AREAS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "statistics": (["suite/statistics/*.py"], ["suite/**/test_statistics*.py", "suite/statistics/test_*.py"]),
    "temporal gradient": (["tasks/temporal_*.py"], ["tasks/test_temporal_*.py"]),
    "energy": (["tasks/energy.py", "suite/studies/energy_*.py"], ["tasks/test_energy*.py", "suite/**/test_energy*.py"]),
    "cell keys": (["suite/runs/cell_key.py"], ["suite/**/test_cell_key*.py", "suite/**/test_model_key*.py"]),
    "merge": (["suite/runs/merge.py"], ["suite/**/test_merge*.py"]),
    "compare": (["suite/compare/*.py"], ["suite/**/test_compare*.py"]),
    "report": (["suite/report/**/*.py"], ["suite/**/test_report*.py", "suite/report/test_*.py"]),
    "training": (["tasks/training/*.py", "tasks/accuracy.py"], ["tasks/training/test_*.py", "tasks/test_accuracy.py"]),
    "networks": (["tasks/networks/*.py"], ["tasks/networks/test_*.py"]),
    "memory": (["tasks/memory.py", "tasks/measuring/workload.py"], ["tasks/test_memory.py"]),
    "conformance": (
        ["neurons/conformance.py", "neurons/truncation.py"],
        ["neurons/test_conformance.py", "neurons/test_truncation.py"],
    ),
}
"""Files and their tests (below tests/), as patterns. A file of no area is tested by the files that bear its name."""

SENSELESS = re.compile(
    r"core/(RemoveDecorator|ReplaceBinaryOperator_BitOr_\w+|ReplaceBinaryOperator_\w+_(RShift|LShift|BitOr|BitAnd|BitXor)"
    r"|ReplaceComparisonOperator_(Is_Eq|IsNot_NotEq|Eq_Is|NotEq_IsNot))"
)
"""Operators that make type errors, change annotations (`int | None`) or caches alone, or nothing at all."""
HARMLESS = re.compile(r"(strict|frozen|exist_ok|parents|index)=$")
"""What stands before a True or False that no result depends on."""


@dataclass(frozen=True)
class Area:
    name: str
    files: list[str]
    tests: list[str]


@dataclass(frozen=True)
class Score:
    area: str
    killed: int
    survivors: list[str]

    def __str__(self) -> str:
        planted = self.killed + len(self.survivors)
        share = f", {100 * self.killed / planted:.0f} %" if planted else ""
        return f"{self.area}: {self.killed} of {planted} found{share}"


def areas_of(names: Sequence[str]) -> list[Area]:
    """The areas named, or those of the files named or changed."""
    chosen = [
        Area(name, _expand(".", AREAS[name][0]), _expand("tests", AREAS[name][1])) for name in names if name in AREAS
    ]
    files = [name for name in names if name not in AREAS] if names else changed_files()
    for area in [Area(name, _expand(".", own), _expand("tests", tests)) for name, (own, tests) in AREAS.items()]:
        inside = sorted(set(files) & set(area.files))
        files = [file for file in files if file not in inside]
        if inside:
            chosen.append(Area(area.name, inside, area.tests))
    for file in files:
        if not (REPOSITORY / file).is_file():
            raise SystemExit(f"'{file}' is neither an area ({', '.join(AREAS)}) nor a file")
        tests = _expand("tests", [f"**/test_{Path(file).stem}*.py"])
        if tests:
            chosen.append(Area(file, [file], tests))
        else:
            print(f"{file}: no area, and no tests/**/test_{Path(file).stem}*.py")
    return chosen


def changed_files() -> list[str]:
    """Modules of the packages that differ from where this branch left main; on main, from the commit before."""
    base, head = _git("merge-base", "HEAD", "main"), _git("rev-parse", "HEAD")
    changed = _git("diff", "--name-only", "--diff-filter=d", "HEAD~1" if base == head else base).splitlines()
    return [name for name in changed if re.match(r"(neurons|tasks|suite)/.*\.py$", name)]


def _expand(folder: str, patterns: Sequence[str]) -> list[str]:
    found = {path for pattern in patterns for path in (REPOSITORY / folder).glob(pattern)}
    return sorted(str(path.relative_to(REPOSITORY)) for path in found)


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout.strip()


def measure(area: Area, limit: int, seed: int) -> Score:
    """Plant up to `limit` faults in a copy of the tree, one at a time, each in another place."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        for name in _git("ls-files", "--cached", "--others", "--exclude-standard").splitlines():
            if (REPOSITORY / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / name, copy / name)
        (copy / "mutants.toml").write_text(_configuration(area))
        _cosmic_ray(copy, "init", "mutants.toml", "mutants.sqlite")
        _cosmic_ray(copy, "baseline", "mutants.toml")
        with use_db(copy / "mutants.sqlite", WorkDB.Mode.open) as session:
            _choose(session, copy, limit, seed)
        _cosmic_ray(copy, "exec", "mutants.toml", "mutants.sqlite")
        with use_db(copy / "mutants.sqlite", WorkDB.Mode.open) as session:
            results = [result for _, result in session.results if result.worker_outcome != WorkerOutcome.SKIPPED]
    survivors = [result.diff or "" for result in results if result.test_outcome == TestOutcome.SURVIVED]
    return Score(area.name, len(results) - len(survivors), survivors)


def _configuration(area: Area) -> str:
    options = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not slow"]
    settings = {
        "module-path": area.files,
        "timeout": 900.0,
        "excluded-modules": [],
        "test-command": shlex.join([sys.executable, *options, *area.tests]),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join(["[cosmic-ray]", *lines, "[cosmic-ray.distributor]", 'name = "local"', ""])


def _choose(session: WorkDB, copy: Path, limit: int, seed: int) -> None:
    """Skip all but one sensible fault in each of `limit` places."""
    generator = random.Random(seed)
    items = list(session.pending_work_items)
    generator.shuffle(items)
    places: dict[object, str] = {}
    for item in sorted(items, key=lambda item: str(item.mutations[0].module_path)):
        (mutation,) = item.mutations
        if _sensible(mutation, copy):
            places.setdefault((mutation.module_path, mutation.start_pos), item.job_id)
    kept = set(generator.sample(list(places.values()), min(limit, len(places))))
    for item in items:
        if item.job_id not in kept:
            session.set_result(item.job_id, WorkResult(WorkerOutcome.SKIPPED))


def _sensible(mutation: MutationSpec, copy: Path) -> bool:
    line, column = mutation.start_pos
    text = (copy / mutation.module_path).read_text().splitlines()[line - 1]
    in_decorator = text.lstrip().startswith("@")
    return not (in_decorator or SENSELESS.match(mutation.operator_name) or HARMLESS.search(text[:column]))


def _cosmic_ray(copy: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "cosmic-ray"), *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"cosmic-ray {' '.join(arguments)} failed: {done.stdout[-3000:]}{done.stderr[-3000:]}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="nox -s mutants --", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="AREA|FILE", help=f"areas: {', '.join(AREAS)}")
    parser.add_argument("--limit", type=int, default=30, help="faults planted in each area (default 30)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of the faults (default 0)")
    arguments = parser.parse_args()
    scores = []
    for area in areas_of(arguments.names):
        scores.append(measure(area, arguments.limit, arguments.seed))
        for survivor in scores[-1].survivors:
            print(survivor, flush=True)
    for score in scores:
        print(score)
    return 0


if __name__ == "__main__":
    sys.exit(main())
