"""ASV finds a commit that slows a kernel, and accuses no other. Runs real commits in a clone, in ASV's environments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.share_environment import VARIABLE
from tests.conftest import REPOSITORY

SLOW_STEP = """
    def step(self, x, u, m):
        for _ in range(2):
            m = m + 1e-9 * torch.tanh(m)
        return self.quick_step(x, u, m)

    def quick_step("""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of this repository, with a commit that changes nothing and one that doubles the time of CLIF's kernel."""
    path = tmp_path / "clone"
    git("clone", "--quiet", str(REPOSITORY), str(path), cwd=tmp_path)
    git("config", "user.name", "somebody", cwd=path)
    git("config", "user.email", "somebody@example.org", cwd=path)
    (path / "README.md").write_text((path / "README.md").read_text() + "\nNothing.\n")
    git("commit", "--quiet", "--all", "-m", "Nothing", cwd=path)
    clif = path / "neurons/models/clif.py"
    text = clif.read_text()
    assert "\n    def step(" in text
    clif.write_text(text.replace("\n    def step(", SLOW_STEP, 1))
    git("commit", "--quiet", "--all", "-m", "CLIF slowed", cwd=path)
    return path


def git(*arguments: str, cwd: Path) -> None:
    subprocess.run(["git", *arguments], cwd=cwd, check=True)


def continuous(clone: Path, before: str, after: str) -> subprocess.CompletedProcess[str]:
    """`asv continuous` of CLIF's layer at 8 steps between two commits."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    bench = r"Layer\.time_forward_backward\('clif', 8\)"
    command = [sys.executable, "-m", "asv", "continuous", "--environment", f"virtualenv:{version}", "--factor", "1.3"]
    command += ["--interleave-rounds", "--show-stderr", "--bench", bench, before, after]
    environment = {**os.environ, VARIABLE: sys.prefix, "XDG_CACHE_HOME": str(clone / ".cache")}
    subprocess.run([sys.executable, "-m", "asv", "machine", "--yes"], cwd=clone, check=True, capture_output=True)
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_slowed_kernel_is_found_and_an_unchanged_commit_is_not_accused(clone: Path) -> None:
    same = continuous(clone, "HEAD~2", "HEAD~1")
    assert "BENCHMARKS NOT SIGNIFICANTLY CHANGED" in same.stdout, same.stdout + same.stderr
    assert same.returncode == 0
    slowed = continuous(clone, "HEAD~1", "HEAD")
    assert "PERFORMANCE DECREASED" in slowed.stdout, slowed.stdout + slowed.stderr
    assert "time_forward_backward('clif', 8)" in slowed.stdout
    assert slowed.returncode == 1
