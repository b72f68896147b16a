"""`python -m suite` where a file of the user has the name of one of its packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

HEAVY = {"torch", "numpy", "pandas", "neurons", "tasks"}
"""Packages that take long to import."""


def listed(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "suite", "list", "tasks"]
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    known.pop("PYTHONSAFEPATH", None)
    return subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["tasks.py", "neurons.py", "tasks/__init__.py"])
def test_a_hidden_package_is_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise SystemExit('imported')\n")
    done = listed(tmp_path)
    assert done.returncode == 2
    assert f"is hidden by {tmp_path / name}; use the command neuron-suite" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_is_no_package_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "neurons").mkdir()
    (tmp_path / "results.py").touch()
    done = listed(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "throughput" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    """Of the program, of each command; and of a wrong command line."""
    program = f"""if True:
        import sys
        from suite import cli
        for arguments in [["--help"], ["nonsense"], *([name, "--help"] for name in cli.command_names())]:
            try:
                cli.main(arguments)
            except SystemExit:
                pass
        heavy = {HEAVY} & set(sys.modules)
        sys.exit(f"imported: {{heavy}}" if heavy else 0)
    """
    done = subprocess.run([sys.executable, "-c", program], check=False, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-300:]


def test_a_reader_that_leaves_is_no_fault() -> None:
    command = [sys.executable, "-m", "suite", "list", "neurons", "--json"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
