"""Files kept on disk: whole or not at all, verified before use, and never a reason to stop."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neurons import BackendUnavailable
from neurons.kernels import disk_cache
from neurons.kernels.disk_cache import DiskCache, working_folder

CONTENT = b"something that took a while to make"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's cache and the temporary folder of this test alone; nothing said before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(disk_cache, "_said", set())
    monkeypatch.setattr(disk_cache, "_tidied", set())


@pytest.fixture
def silent() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("silent")
def test_what_is_stored_is_found(tmp_path: Path) -> None:
    cache = DiskCache("things")
    assert cache.find("a.bin") is None
    path = cache.store("a.bin", CONTENT)
    assert path.parent == tmp_path / "cache" / "neuron-suite" / "things"
    assert DiskCache("things").find("a.bin") == path
    assert cache.read("a.bin") == CONTENT
    assert cache.read("b.bin") is None
    assert DiskCache("others").find("a.bin") is None
    assert cache.find("a*.bin") == path
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]  # nothing half made is left


def test_files_follow_the_umask() -> None:
    before = os.umask(0o022)
    try:
        assert DiskCache("things").store("a", CONTENT).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def _truncate(path: Path) -> None:
    path.write_bytes(CONTENT[:10])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _overwrite(path: Path) -> None:
    path.write_bytes(b"\x7fELF another file of the same length")


def _grow(path: Path) -> None:
    path.write_bytes(CONTENT + b" ")


def _flip_one_bit(path: Path) -> None:
    path.write_bytes(bytes([CONTENT[0] ^ 1]) + CONTENT[1:])


def _make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _point_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "gone")


BREAKS = [_truncate, _empty, _overwrite, _grow, _flip_one_bit, _make_a_folder, _point_nowhere]


@pytest.mark.parametrize("break_it", BREAKS)
def test_a_broken_file_is_named_set_aside_and_made_again(break_it: Callable[[Path], None]) -> None:
    cache = DiskCache("things")
    path = cache.store("a.bin", CONTENT)
    break_it(path)
    with pytest.warns(RuntimeWarning, match=re.escape(str(path)) + r" is broken .* set aside as .*\.broken"):
        assert cache.find("a.bin") is None
    assert os.path.lexists(f"{path}.broken")
    assert cache.store("a.bin", CONTENT) == path
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.read("a.bin") == CONTENT


def _a_file_in_the_way(cache: Path) -> None:
    cache.write_text("no folder")


def _a_dead_link(cache: Path) -> None:
    cache.symlink_to("/nonexistent/folder")


def _a_file_for_the_kind(cache: Path) -> None:
    (cache / "neuron-suite").mkdir(parents=True)
    (cache / "neuron-suite" / "things").write_text("no folder")


@pytest.mark.parametrize("spoil", [_a_file_in_the_way, _a_dead_link, _a_file_for_the_kind])
def test_a_cache_that_cannot_be_written_is_replaced_by_a_temporary_folder(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    spoil(tmp_path / "cache")
    cache = DiskCache("things")
    with pytest.warns(RuntimeWarning, match="cannot write to the cache .*/things.*XDG_CACHE_HOME") as said:
        path, _ = cache.store("a.bin", CONTENT), cache.store("b.bin", CONTENT)
    assert len(said) == 1  # once, not for each file
    assert path.is_relative_to(tmp_path / "tmp")
    assert DiskCache("things").find("a.bin") == path  # a second process finds it there


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(str(tmp_path / "cache")):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        path = DiskCache("things").store("a.bin", CONTENT)
    assert path.read_bytes() == CONTENT
    assert list((tmp_path / "cache" / "neuron-suite" / "things").iterdir()) == []


def test_files_kept_in_a_cache_that_became_read_only_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = DiskCache("things").store("a.bin", CONTENT)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(disk_cache, "_write", refuse)
    assert DiskCache("things").find("a.bin") == path


def test_without_a_home_nothing_is_made_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user id without a home: the cache would be a folder named "~"."""
    monkeypatch.setattr(disk_cache.user_folders, "cache", lambda: Path("~/.cache/neuron-suite"))
    monkeypatch.chdir(tmp_path)
    with pytest.warns(RuntimeWarning, match="not an absolute path"):
        path = DiskCache("things").store("a.bin", CONTENT)
    assert path.is_relative_to(tmp_path / "tmp")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["tmp"]


def test_no_place_at_all_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "cache"))
    with (
        pytest.warns(RuntimeWarning),
        pytest.raises(BackendUnavailable, match=r"no place for a things file: .*XDG_CACHE_HOME[^\n]*$"),
    ):
        DiskCache("things").store("a.bin", CONTENT)


def test_a_temporary_folder_that_others_may_write_is_not_used(tmp_path: Path) -> None:
    """A kernel from it would run another user's code."""
    root = tmp_path / "tmp" / f"neuron-suite-{os.getuid()}"
    root.mkdir()
    root.chmod(0o777)
    (tmp_path / "cache").write_text("no folder")
    with pytest.warns(RuntimeWarning), pytest.raises(BackendUnavailable, match="no place"):
        DiskCache("things").store("a.bin", CONTENT)


def test_leftovers_of_killed_processes_go_after_a_day(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "neuron-suite" / "things"
    (folder / "tmpabc123").mkdir(parents=True)
    (folder / "tmpabc123" / "layer.c").write_text("half")
    (folder / ".0123.tmp").write_text("half")
    (folder / ".young.tmp").write_text("being written")
    for old in ("tmpabc123", ".0123.tmp"):
        os.utime(folder / old, (0, 0))
    DiskCache("things").store("a.bin", CONTENT)
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith("a-")) == [".young.tmp"]


def test_working_folders_are_removed_also_those_of_killed_processes() -> None:
    with working_folder() as work:
        (work / "file").write_text("x")
        killed = work.with_name("making-killed")
    assert not work.exists()
    killed.mkdir()
    os.utime(killed, (0, 0))
    disk_cache._tidied.clear()
    with working_folder() as again:
        assert not killed.exists()
        assert again.exists()
