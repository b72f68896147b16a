"""The files of docs/cluster say to SLURM and to Kubernetes what they should, neither of which is here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from suite.cli import main
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "docs" / "cluster"
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do [[ $1 == --exclude=* || $1 == --nodelist=* ]] && place="$1"; shift; done
echo "$place $*" >> "$LOG"
"""
TOOLS = {
    "srun": SRUN,
    "scontrol": "#!/bin/bash\necho node-1\necho node-2\n",
    "sleep": "#!/bin/bash\n",
}


@pytest.mark.parametrize("nodes", [1, 3])
def test_slurm_starts_a_head_the_other_nodes_and_the_run(nodes: int, tmp_path: Path) -> None:
    for name, text in TOOLS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    job = {"SLURM_JOB_NODELIST": "node-[1-3]", "SLURM_JOB_NUM_NODES": str(nodes), "SLURM_CPUS_PER_TASK": "16"}
    job |= {"LOG": str(tmp_path / "log"), "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_GPUS_ON_NODE": "4"}
    (tmp_path / "log").touch()
    line = ["bash", str(FOLDER / "slurm.sh"), "--profile", "full", "--out", "/a folder/run"]
    done = subprocess.run(line, env={**os.environ, **job}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said = (tmp_path / "log").read_text().splitlines()
    usual = "--num-cpus=16 --num-gpus=4"
    started = f"ray start --head --node-ip-address=node-1 --port=6379 {usual} --include-dashboard=false --block"
    head = f"--nodelist=node-1 {started}"
    others = f"--exclude=node-1 ray start --address=node-1:6379 {usual} --block"
    asked = "--profile full --out /a folder/run"
    run = f"--nodelist=node-1 python -m suite run --executor ray --address node-1:6379 {asked}"
    assert sorted(said) == sorted([head, run, *([others] if nodes > 1 else [])])


def test_kuberay_runs_a_line_that_the_suite_takes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")  # which Ray brings
    job: dict[str, Any] = yaml.safe_load((FOLDER / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    words = job["spec"]["entrypoint"].split()
    assert words[:4] == ["python", "-m", "suite", "run"]
    assert words[words.index("--address") + 1] == "auto"
    out = Path(words[words.index("--out") + 1])
    cluster = job["spec"]["rayClusterSpec"]
    head = cluster["headGroupSpec"]["template"]["spec"]
    claimed = {volume["name"]: volume for volume in head["volumes"]}
    mounted = [mount for mount in head["containers"][0]["volumeMounts"] if out.is_relative_to(mount["mountPath"])]
    assert [claimed[mount["name"]]["persistentVolumeClaim"] for mount in mounted], "what is measured is kept"
    images = {group["template"]["spec"]["containers"][0]["image"] for group in cluster["workerGroupSpecs"]}
    assert images == {head["containers"][0]["image"]}, "Ray asks for the same versions everywhere"
    plain = [word for word in words[4:] if word not in ("--executor", "ray", "--address", "auto")]
    plain[plain.index(str(out))] = str(tmp_path / "run")
    assert main(["run", *plain, "--dry-run"]) == 0
    assert "cells" in capsys.readouterr().out
