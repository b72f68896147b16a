"""Lets a Python environment that ASV made use the packages of the project's own, so that torch is installed once.

Run by ASV's install command with the new environment's Python (see asv.conf.json).
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

VARIABLE = "NEURON_SUITE_ENVIRONMENT"
"""The environment to share; by default that of nox."""


def variables() -> dict[str, str]:
    """For ASV's processes: the environment to share, and its Python as the first of the path.

    ASV makes an environment of the first `python3.x` that it finds; that may be a shim of a version that is not there.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, VARIABLE: os.environ.get(VARIABLE, sys.prefix), "PATH": path}


def main(project: str) -> str | None:
    """Write a path file into this environment; a message if there is nothing to share."""
    shared = Path(os.environ.get(VARIABLE) or Path(project) / ".nox" / "environment")
    packages = shared / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    if not (packages / "torch").is_dir():
        return f"{packages}: no torch; run this by `nox -s asv`, or set {VARIABLE} to an environment of this Python"
    (Path(sysconfig.get_paths()["purelib"]) / "neuron_suite_shared.pth").write_text(f"{packages}\n")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
