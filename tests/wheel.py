"""The suite as a wheel, where names of the user's folder hide nothing: `nox -s wheel`.

The wheel is installed into a fresh environment that sees the packages of this one (torch alone takes 6 GB), inside of
a git repository that is not the project's. The smoke profile then runs by the console script, in a folder that holds a
`tasks.py`, a `suite.py` and a `neurons/` of the user's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

import pandas as pd

from suite.runs.git import environment, git

REPOSITORY = Path(__file__).resolve().parent.parent


def main(options: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="neuron suite é ") as folder:
        work = Path(folder)
        git(work, "init", "--quiet")
        author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        git(work, *author, "commit", "--quiet", "--allow-empty", "-m", "another project")
        script = install(work)
        there = work / "thesis"
        there.mkdir()
        for name in ("tasks.py", "suite.py", "neurons.py"):
            (there / name).write_text("raise SystemExit('the file of the user was imported')\n")
        arguments = options or ["run", "--profile", "smoke", "--out", "out"]
        call(there, script, *arguments)
        check(there / "out")
        hidden = call(there, script.with_name("python"), "-c", "import suite", code=1)
        assert "the file of the user was imported" in hidden, "the folder hides nothing, so this shows nothing"


def install(work: Path) -> Path:
    """Build the wheel from a copy, where no earlier build leaves old files, and install it; the console script."""
    source = work / "source"
    for name in git(REPOSITORY, "ls-files", "-z").stdout.split("\0"):
        if (REPOSITORY / name).is_file() and not name.startswith("results/"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, source / name)
    call(work, sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", work, source)
    (wheel,) = work.glob("*.whl")
    venv.create(work / "venv", with_pip=False, symlinks=True)
    python = work / "venv/bin/python"
    packages = call(work, python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip()
    call(work, sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel)
    (Path(packages) / "shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python.with_name("neuron-suite")


def call(folder: Path, *command: object, code: int = 0) -> str:
    """Run a command and return what it said, or end with that if its exit code is another."""
    kept = {name: value for name, value in environment().items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(list(map(str, command)), cwd=folder, env=kept, capture_output=True, text=True, check=False)
    if done.returncode != code:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def check(run: Path) -> None:
    """The run measured everything with the installed package, and names nobody else's commit."""
    rows = pd.read_parquet(run / "results.parquet")
    assert set(rows.status) == {"ok"}, rows[rows.status != "ok"].detail.unique()
    assert rows.commit.isna().all()
    provenance = json.loads((run / "provenance.json").read_text())
    assert provenance["commit"] is None
    assert (run / "report/index.html").stat().st_size > 1000
    print(f"{rows.cell.nunique()} cells measured from {os.fspath(run)}")


if __name__ == "__main__":
    main(sys.argv[1:])
