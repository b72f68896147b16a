"""All tests in two processes side by side: `nox -s tests`.

One core each: the halves take about as long, and no test of one looks at what the other leaves on the machine. The
second's output is printed when both are done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
HALVES = (["tests/suite"], ["tests", "--ignore=tests/suite"])


def main() -> int:
    """The exit code is 0 if both halves passed."""
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as later:
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "pytest", *half], cwd=REPOSITORY, env=environment, stdout=out, stderr=out
            )
            for half, out in zip(HALVES, (None, later), strict=True)
        ]
        try:
            codes = [process.wait() for process in running]
        finally:
            for process in running:
                process.terminate()
        later.seek(0)
        sys.stdout.write(later.read())
    for half, code in zip(HALVES, codes, strict=True):
        print(f"pytest {' '.join(half)}: {'passed' if code == 0 else f'exit code {code}'}")
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
