"""The parts that `nox -s tests` hands out hold every test once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import halves
from tests.conftest import REPOSITORY

FILES = sorted(path.relative_to(REPOSITORY) for path in (REPOSITORY / "tests").rglob("test_*.py"))


def holds(part: list[str], file: Path) -> bool:
    folder, *ignored = part
    left_out = [own.removeprefix("--ignore=") for own in ignored]
    return file.is_relative_to(folder) and not any(map(file.is_relative_to, left_out))


def test_every_test_is_in_one_part() -> None:
    assert len(FILES) > 100
    assert [str(file) for file in FILES if sum(holds(part, file) for part in halves.parts()) != 1] == []


def test_every_part_has_tests() -> None:
    assert [part for part in halves.parts() if not any(holds(part, file) for file in FILES)] == []


@pytest.mark.parametrize(("fails", "code"), [(False, 0), (True, 1)])
def test_one_part_that_fails_fails_all(
    fails: bool, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test_right.py").write_text("def test_right():\n    pass\n")
    (tmp_path / "test_other.py").write_text(f"def test_other():\n    assert {not fails}\n")
    monkeypatch.setattr(halves, "REPOSITORY", tmp_path)
    monkeypatch.setattr(halves, "parts", lambda: [["test_right.py"], ["test_other.py"]])
    assert halves.main() == code
    told = capsys.readouterr().out
    assert "pytest test_right.py: passed" in told
    assert ("pytest test_other.py: exit code 1" in told) == fails
