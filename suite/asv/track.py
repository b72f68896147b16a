"""`python -m suite.asv.track [RANGE …]`: track the working tree, or a range of commits, by ASV (see suite/asv/)."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from suite.asv.share_environment import variables
from suite.runs.git import git

REPOSITORY = Path(__file__).resolve().parents[2]
ASV = (sys.executable, "-m", "asv")
FAILED = 2
"""What `asv run` exits with if a benchmark failed or ran out of time."""


def main(arguments: Sequence[str]) -> int:
    """Track quickly what is checked out, in this environment, or a range of commits, in environments that ASV makes.

    A tree with changes that are not committed is tracked under a machine of its own, so that its figures never stand
    for the commit.

    Returns:
        ASV's exit code: 2 if a benchmark failed or ran out of time.
    """
    machine = platform.node()
    if arguments:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        how = ["--environment", f"virtualenv:{version}", *arguments]
    else:
        head, status = (git(REPOSITORY, *words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain")))
        if head.returncode or status.returncode:
            print(f"asv: {REPOSITORY} is no git repository with a commit", file=sys.stderr)
            return FAILED
        how = ["--quick", "--environment", f"existing:{sys.executable}", "--set-commit-hash", head.stdout.strip()]
        if status.stdout.strip():
            machine += "-uncommitted"
            print(f"asv: uncommitted changes; tracked as machine {machine}, not as {platform.node()}")
    subprocess.run([*ASV, "machine", "--yes", "--machine", machine], cwd=REPOSITORY, check=True)
    command = [*ASV, "run", "--show-stderr", "--machine", machine, *how]
    code = subprocess.run(command, cwd=REPOSITORY, env=variables(), check=False).returncode
    if code == FAILED:
        print("asv: benchmarks failed or ran out of time; they are named above", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
