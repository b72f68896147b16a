"""`python -m suite.tracking.track [--device D] [RANGE …]`: track the working tree, or a range of commits, by ASV."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from neurons import InvalidValue
from suite.runs.git import git
from suite.tracking.share_environment import variables
from tasks.measuring import devices

REPOSITORY = Path(__file__).resolve().parents[2]
ASV = (sys.executable, "-m", "asv")
DEVICE_VARIABLE = "NEURON_SUITE_DEVICE"
"""What tells the benchmarks, which run in ASV's processes, their device."""
FAILED = 2
"""What `asv run` exits with if a benchmark failed or ran out of time."""


def main(arguments: Sequence[str]) -> int:
    """Track quickly what is checked out, in this environment, or a range of commits, in environments that ASV makes.

    A tree with changes that are not committed is tracked under a machine of its own, so that its figures never stand
    for the commit; so are the figures of another device than the CPU.

    Returns:
        ASV's exit code: 2 if a benchmark failed or ran out of time, or if there is no such device.
    """
    parser = argparse.ArgumentParser(prog="suite.tracking.track", add_help=False)
    parser.add_argument("--device", default="cpu")
    options, arguments = parser.parse_known_args(arguments)
    try:
        device = devices.resolve(options.device)
    except InvalidValue as error:
        print(f"asv: {error}", file=sys.stderr)
        return FAILED
    machine = platform.node() + ("" if device == "cpu" else f"-{device.replace(':', '-')}")
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
    # The default, a server that forks, would fork what CUDA runs in.
    command = [*ASV, "run", "--show-stderr", "--launch-method=spawn", "--machine", machine, *how]
    environment = {**variables(), DEVICE_VARIABLE: device}
    code = subprocess.run(command, cwd=REPOSITORY, env=environment, check=False).returncode
    if code == FAILED:
        print("asv: benchmarks failed or ran out of time; they are named above", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
