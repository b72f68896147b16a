"""Where a run comes from: commit, versions, machine, date."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from neurons import peers
from suite.runs import machine
from suite.runs.git import git, owns
from tasks.measuring import devices, nvml

DECIDING = ("torch", "numpy", "triton")
"""Packages whose versions decide the values of every cell."""
PACKAGES = ("torch", "triton", "numpy", "pandas", "scipy", "jax", *peers.PACKAGES)
REPOSITORY = Path(__file__).resolve().parent.parent.parent
THIS_FILE = Path(__file__).resolve().relative_to(REPOSITORY)


def collect(arguments: list[str], used: Collection[str] = ()) -> dict[str, Any]:
    """All that a reader needs to judge or repeat a run on the devices `used`; None where it cannot be found out."""
    commit, dirty = commit_of()
    return {
        "date": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "command": ["python", "-m", "suite", *arguments],
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: machine.installed_version(name) for name in PACKAGES},
        "compiler": _first_line(_output("cc", "--version")),
        "machine": machine.describe(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "gpu_driver": nvml.driver_version(),
        "devices": {devices.kind_of(name): device_facts(name) for name in used if devices.facts(name)},
        "threads": torch.get_num_threads(),
    }


def device_facts(name: str) -> dict[str, Any]:
    """The card, what runs it, and what it tells of itself at this moment."""
    own, place = devices.of(name), devices.torch_device(name)
    reading, joules = own.reading(place), own.joules(place)
    return {
        **devices.facts(name),
        "cards": devices.cards(name),
        "free_bytes": own.free_bytes(place),
        "reading": vars(reading) if reading is not None else "not measurable here",
        "energy_counter": "measured" if joules is not None else "not measurable here",
    }


def origin_of(
    known: Mapping[str, Any], cell_backend: str, cell_neuron: str, cell_device: str = "cpu"
) -> dict[str, str | None]:
    """What made a cell's result, in words, from the provenance of the run that measured it.

    `versions` are those of Python, of the packages that decide values, of the package that ran the neuron, and of what
    runs the cell's device.
    """
    packages, facts = known.get("packages") or {}, known.get("machine")
    deciding = [*DECIDING, *(set(peers.PACKAGES) & {cell_backend, cell_neuron.partition(".")[0]})]
    versions = [("python", known.get("python")), *((name, packages.get(name)) for name in deciding)]
    on_device = (known.get("devices") or {}).get(devices.kind_of(cell_device)) or {}
    versions += [(name, on_device.get(name)) for name in ("cuda", "rocm", "driver")]
    commit = known.get("commit")
    return {
        "date": known.get("date"),
        "commit": commit and commit[:12] + ("-dirty" if known.get("dirty") else ""),
        "machine": machine_in_words(facts) if isinstance(facts, dict) else None,
        "versions": ", ".join(f"{name} {version}" for name, version in versions if version) or None,
    }


def machine_in_words(facts: Mapping[str, Any]) -> str | None:
    """ "AMD EPYC 7B13, 2 cores, 16 GiB", with its GPU if it has one; None if nothing is known of it."""
    words = {"cpu": "{}", "cores": "{} cores", "memory_gib": "{} GiB", "gpu": "{}"}
    return ", ".join(text.format(facts[name]) for name, text in words.items() if facts.get(name)) or None


def commit_of(repository: Path = REPOSITORY) -> tuple[str | None, bool | None]:
    """The commit that the suite's own files are of, and whether tracked files differ from it.

    Both are None where the suite is no checkout of its repository: an installed package must not be taken for a part
    of the repository that merely surrounds its environment.
    """
    if not owns(repository, THIS_FILE):
        return None, None
    head = git(repository, "rev-parse", "--verify", "HEAD")
    status = git(repository, "status", "--porcelain", "--untracked-files=no")
    return (
        head.stdout.strip() if head.returncode == 0 else None,
        bool(status.stdout.strip()) if status.returncode == 0 else None,
    )


def _output(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _first_line(text: str | None) -> str | None:
    return text.splitlines()[0] if text else None
