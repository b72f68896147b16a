"""Shared libraries, compiled with the system's compiler, kept on disk: layer.c around a generated step.h, norm.c."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from neurons.errors import BackendUnavailable
from neurons.kernels.disk_cache import DiskCache, working_folder

FLAGS = ("-std=gnu11", "-O3", "-march=native", "-fopenmp", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math")
EXACT = ("-ffp-contract=off",)
"""No fused multiply-add: forward, its recomputation in backward and the eager reference round alike."""
HEADERS = ("vector.h", "one_step.h")
DEFAULT_COMPILER = "cc"

_cache = DiskCache("kernels")


@dataclass(frozen=True)
class Code:
    """What a library is made from.

    Attributes:
        main: the file that is compiled.
        real_bits: of the numbers that it computes with.
        item_bits: of the numbers that input and output hold.
        step: the generated header of a step, where the file takes one.
    """

    main: str
    real_bits: int
    item_bits: int
    step: str = ""

    def texts(self) -> dict[str, str]:
        """All files, by name."""
        folder = resources.files("neurons.kernels.cpu")
        written = {name: (folder / name).read_text(encoding="utf-8") for name in (self.main, *HEADERS)}
        return {**written, "step.h": self.step}

    def flags(self) -> list[str]:
        return [*FLAGS, *EXACT, f"-DREAL_BITS={self.real_bits}", f"-DITEM_BITS={self.item_bits}"]


def load(code: Code) -> ctypes.CDLL:
    """The library of some code, from the disk or from the compiler; safe under parallel processes.

    Raises:
        BackendUnavailable: no compiler, one that fails, or a library that the system does not load.
    """
    path = library_path(code)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:  # its content is as stored: the folder forbids execution, or the system has changed
        _cache.set_aside(path, str(error))
    try:
        made = _compile(code)
        return ctypes.CDLL(str(_cache.store(_name(code), made, temporary=True)))
    except OSError as error:
        reason = f"{error}; set XDG_CACHE_HOME to a folder whose files may be executed"
        raise BackendUnavailable(f"the compiled kernel cannot be loaded: {reason}") from None


def library_path(code: Code) -> Path:
    """Where the library of some code is kept, compiled if it is not there."""
    kept = find(code)
    if kept is not None:
        return kept
    made = _compile(code)
    return _cache.store(_name(code), made)


def find(code: Code) -> Path | None:
    """The kept library of some code, made by the present compiler; where the system has none, by any."""
    if no_compiler() is None:
        return _cache.find(_name(code))
    if os.environ.get("CC", "").strip():  # the user named a compiler, so no other may have made the kernel
        return None
    return _cache.find(f"{_key(code)}-*.so")


def no_compiler() -> str | None:
    """Why nothing can be compiled here, or None."""
    try:
        word = _compiler()[0]
    except ValueError as error:
        return f"the cpu backend needs a C compiler, but CC is not a command ({error}): {os.environ['CC']}"
    if shutil.which(word) is None:
        return f"the cpu backend needs a C compiler, but there is no '{word}': install gcc or clang, or set CC"
    return None


def _compile(code: Code) -> bytes:
    reason = no_compiler()
    if reason is not None:
        raise BackendUnavailable(reason)
    command = _compiler()
    with working_folder() as work:
        for name, text in code.texts().items():
            (work / name).write_text(text, encoding="utf-8")
        arguments = [*code.flags(), code.main, "-o", "made.so", "-lm"]
        done = _call([*command, *arguments], work)
        library = work / "made.so"
        if done.returncode or not library.exists():
            lines = done.stderr.splitlines()
            fault = next((line for line in lines if "error" in line), done.stderr.strip().partition("\n")[0])
            fault = fault or (f"exit code {done.returncode}" if done.returncode else "it made no library")
            raise BackendUnavailable(f"the compiler '{shlex.join(command)}' failed: {fault}; set CC to gcc or clang")
        return library.read_bytes()


def _name(code: Code) -> str:
    """The file's name: what the library computes, then what compiled it."""
    command = _compiler()
    version = _compiler_version(tuple(command), shutil.which(command[0]))
    by = hashlib.sha256("\0".join([*command, version]).encode()).hexdigest()
    return f"{_key(code)}-{by[:8]}.so"


def _key(code: Code) -> str:
    """A hash of all that decides what the library computes, and of where it can run."""
    decided_by = [*code.texts().values(), *code.flags(), _processor(), *platform.libc_ver()]
    return hashlib.sha256("\0".join(decided_by).encode()).hexdigest()[:32]


def _compiler() -> list[str]:
    """The words of the command: CC may hold a launcher or flags (`ccache gcc`, `gcc -O2`)."""
    words = shlex.split(os.environ.get("CC", "")) or [DEFAULT_COMPILER]
    found = shutil.which(words[0])
    return [str(Path(found).absolute()) if found and os.sep in words[0] else words[0], *words[1:]]


@cache
def _compiler_version(command: tuple[str, ...], found_at: str | None) -> str:
    return _call([*command, "--version"], None).stdout


def _call(command: list[str], folder: Path | None) -> subprocess.CompletedProcess[str]:
    """Run the compiler; its messages in English, whatever the locale."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise BackendUnavailable(f"the compiler '{shlex.join(command[:1])}' cannot run: {error.strerror}") from None


@cache
def _processor() -> str:
    """What -march=native depends on: the features of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.exists() else []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return "\0".join([platform.machine(), platform.processor(), features])
