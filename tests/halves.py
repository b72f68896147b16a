"""All tests in two processes side by side, one core each: `nox -s tests`.

A process that is done with a part takes the next, so both do about half on any machine. No test of one part looks at
what another leaves behind. The output of a part is printed when it is done.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SIDE_BY_SIDE = 2
LONGEST_FIRST = (
    "tests/suite/runs",
    "tests/neurons/kernels",
    "tests/suite/publish",
    "tests/suite/report",
    "tests/tasks",
)
"""Folders that are a part of their own; the rest of tests/suite and of tests are the last two."""


def parts() -> list[list[str]]:
    """Arguments of pytest for each part: together every test, none twice."""

    def without(folder: str, taken: tuple[str, ...]) -> list[str]:
        return [folder, *(f"--ignore={own}" for own in taken if own.startswith(f"{folder}/"))]

    own = [[folder] for folder in LONGEST_FIRST]
    return [*own, without("tests/suite", LONGEST_FIRST), without("tests", (*LONGEST_FIRST, "tests/suite"))]


def run(part: list[str]) -> subprocess.CompletedProcess[str]:
    """Of one part, with all that pytest prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *part],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def main() -> int:
    """The exit code is 0 if every part passed."""
    lines, codes = [], []
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        running = {pool.submit(run, part): part for part in parts()}
        try:
            for future in as_completed(running):
                done = future.result()
                print(done.stdout, flush=True)
                verdict = "passed" if done.returncode == 0 else f"exit code {done.returncode}"
                lines.append(f"pytest {' '.join(running[future])}: {verdict}")
                codes.append(done.returncode)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    print(*lines, sep="\n")
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
