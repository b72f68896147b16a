"""The compiled library: which compiler, where it is kept, and what happens when either is broken."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import neurons
from neurons import BackendUnavailable
from neurons.kernels import disk_cache, programs
from neurons.kernels.cpu import kernel as cpu
from neurons.kernels.cpu import library as cpu_library
from neurons.kernels.source import source_of

GCC = shutil.which("gcc")
USE = "import neurons, torch; print(int(neurons.layer('clif', backend='cpu')(torch.ones(3, 4, 5)).sum()))"


@pytest.fixture
def code() -> cpu_library.Code:
    return cpu_library.Code("layer.c", 32, 32, source_of(neurons.get("lif")()).c_text)


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(cpu, "_kernels", {})
    monkeypatch.setattr(programs, "_kernels", {})
    monkeypatch.setattr(disk_cache, "_said", set())


def forget() -> None:
    """As a new process: no kernel is loaded."""
    cpu._kernels.clear()
    programs._kernels.clear()


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """Makes a shell script the compiler."""

    def write(body: str) -> Path:
        path = tmp_path / "bin" / "my-cc"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        monkeypatch.setenv("CC", str(path))
        return path

    yield write
    cpu_library._compiler_version.cache_clear()


def test_kept_and_found(code: cpu_library.Code, tmp_path: Path) -> None:
    path = cpu_library.library_path(code)
    assert path.is_relative_to(tmp_path / "cache" / "neuron-suite" / "kernels")
    before = path.stat().st_mtime_ns
    assert cpu_library.library_path(code) == path
    assert path.stat().st_mtime_ns == before
    assert cpu_library.find(replace(code, real_bits=64, item_bits=64)) is None


@pytest.mark.parametrize("change", ["processor", "flags", "step", "layer.c", "compiler", "version", "dtype"])
def test_what_decides_a_library_is_in_its_name(
    change: str, code: cpu_library.Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cpu_library._name(code)
    assert cpu_library._name(code) == before
    if change == "processor":
        monkeypatch.setattr(cpu_library, "_processor", lambda: "another")
    elif change == "flags":
        monkeypatch.setattr(cpu_library, "FLAGS", (*cpu_library.FLAGS, "-DX"))
    elif change == "step":
        code = replace(code, step=code.step + "\n// another\n")
    elif change == "layer.c":
        texts = {name: text + "\n" for name, text in code.texts().items()}
        monkeypatch.setattr(cpu_library.Code, "texts", lambda _: texts)
    elif change == "compiler":
        monkeypatch.setenv("CC", "cc -g")
    elif change == "version":
        monkeypatch.setattr(cpu_library, "_compiler_version", lambda *_: "cc 99.1")
    else:
        code = replace(code, item_bits=16)
    assert cpu_library._name(code) != before


@pytest.mark.parametrize("features", ["flags\t: fpu avx2", "flags\t: fpu avx2 avx512f"])
def test_the_processors_features_are_read(features: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: f"processor: 0\n{features}\nbugs: none\n")
    cpu_library._processor.cache_clear()
    try:
        assert cpu_library._processor() == "\0".join([platform.machine(), platform.processor(), features])
    finally:
        cpu_library._processor.cache_clear()


@pytest.mark.parametrize("damage", [b"", b"\x7fELF", b"not a library at all" * 1000, None])
def test_a_broken_library_is_made_again(damage: bytes | None) -> None:
    """Empty, cut short, foreign: before, an error for ever, or a bus error."""
    layer = neurons.layer("lif", backend="cpu")
    x = torch.linspace(0, 2, 60).reshape(3, 4, 5)
    expected = layer(x)
    (path,) = (Path(os.environ["XDG_CACHE_HOME"]) / "neuron-suite" / "kernels").glob("*.so")
    broken = path.read_bytes()[: path.stat().st_size // 2] if damage is None else damage
    path.unlink()  # this process has it loaded
    path.write_bytes(broken)
    forget()
    with pytest.warns(RuntimeWarning, match=r"\.so is broken .* made again"):
        assert torch.equal(layer(x), expected)
    forget()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(layer(x), expected)
    assert path.with_name(f"{path.name}.broken").exists()


def test_a_library_that_the_system_does_not_load_from_its_folder(
    code: cpu_library.Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache on a file system without execution: a copy in the temporary folder serves."""
    kept = str(cpu_library.library_path(code))
    load = cpu_library.ctypes.CDLL

    def refuse(path: str) -> object:
        if path == kept:
            raise OSError("failed to map segment from shared object")
        return load(path)

    monkeypatch.setattr(cpu_library.ctypes, "CDLL", refuse)
    with pytest.warns(RuntimeWarning, match="failed to map segment"):
        assert cpu_library.load(code)._name != kept


@pytest.mark.parametrize("words", ["gcc -O2", "env gcc", "  gcc  ", "", "   "])
@pytest.mark.skipif(GCC is None, reason="no gcc")
def test_cc_may_hold_words(words: str, code: cpu_library.Code, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", words)
    assert cpu_library.load(code).forward


@pytest.mark.skipif(GCC is None, reason="no gcc")
def test_cc_may_be_a_relative_path_or_hold_spaces(
    code: cpu_library.Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my tools"
    folder.mkdir()
    (folder / "cc").symlink_to(str(GCC))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CC", "'my tools/cc' -g0")
    assert cpu_library.load(code).forward


REFUSED = {
    "no-such-compiler": r"there is no 'no-such-compiler': install gcc or clang, or set CC",
    "no-such-launcher gcc": r"there is no 'no-such-launcher'",
    "/": r"there is no '/'",
    "gcc 'open": r"CC is not a command \(No closing quotation\): gcc 'open",
    "true": r"the compiler 'true' failed: it made no library; set CC to gcc or clang",
    "false": r"the compiler 'false' failed: exit code 1; set CC to gcc or clang",
    "gcc --no-such-option": r"the compiler 'gcc --no-such-option' failed: .*unrecognized.*no-such-option",
}


@pytest.mark.parametrize("value", REFUSED)
def test_a_compiler_that_is_none_is_one_line(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", value)
    with pytest.raises(BackendUnavailable, match=REFUSED[value]) as caught:
        neurons.layer("lif", backend="cpu")(torch.zeros(2, 3))
    assert "\n" not in str(caught.value)


def test_a_compilers_first_error_is_told(code: cpu_library.Code, compiler: Callable[[str], Path]) -> None:
    message = r"note\nlayer.c:1: error: \342\200\230x\342\200\231\n"  # in UTF-8, whatever the locale
    compiler(f"[ \"$1\" = --version ] && exit 0\nprintf '{message}' >&2\nexit 1")
    with pytest.raises(BackendUnavailable, match=r"failed: layer\.c:1: error: ‘x’"):
        cpu_library.load(code)


def test_a_compiler_that_cannot_be_executed(code: cpu_library.Code, compiler: Callable[[str], Path]) -> None:
    compiler("").write_bytes(b"\x00\x01 no program")
    with pytest.raises(BackendUnavailable, match=r"my-cc' cannot run: Exec format error"):
        cpu_library.load(code)


def test_without_a_compiler_a_kept_kernel_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    x = torch.linspace(0, 2, 60).reshape(3, 4, 5)
    expected = neurons.layer("lif", backend="cpu")(x)
    forget()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert torch.equal(neurons.layer("lif", backend="cpu")(x), expected)
    with pytest.raises(BackendUnavailable, match="there is no 'cc'"):
        neurons.layer("lif", backend="cpu")(x.double())
    with pytest.raises(BackendUnavailable, match="there is no 'cc'"):
        neurons.layer("lif", backend="cpu", tau=7.0)(x)
    monkeypatch.setenv("CC", "gone")  # who names a compiler gets no other's kernels
    with pytest.raises(BackendUnavailable, match="there is no 'gone'"):
        neurons.layer("lif", backend="cpu")(x)


def _use(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", USE]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )


def test_parallel_processes_share_the_cache(tmp_path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", USE], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = {process.communicate(timeout=120)[0].strip() for process in processes}
    assert len(outputs) == 1
    assert int(outputs.pop()) > 0
    kept = list((tmp_path / "cache" / "neuron-suite" / "kernels").iterdir())
    assert [path.suffix for path in kept] == [".so"]


def test_a_locale_without_utf_8() -> None:
    done = _use(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


def test_no_home_and_no_cache_folder(tmp_path: Path) -> None:
    done = _use(XDG_CACHE_HOME="/dev/null/x", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
    assert "XDG_CACHE_HOME" in done.stderr
