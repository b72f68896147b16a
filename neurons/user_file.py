"""What others bring: Python files of a user, under a name of their own, and entry points of installed packages."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from neurons.errors import NeuronError

FILE_MODULE = "neuron_file_"
"""How the module of a user's file is called, before its stem and a hash of its content."""


def installed(kind: str) -> list[importlib.metadata.EntryPoint]:
    """What installed packages offer of a kind ("neurons", "tasks", "devices"), by entry points of neuron_suite.KIND."""
    return list(importlib.metadata.entry_points(group=f"neuron_suite.{kind}"))


def import_user_file(path: str | Path, wanted: str) -> ModuleType:
    """The module of a user's file, imported once in this process for each content.

    It is named by its content, not by its place: what was pickled of it is found in another folder or machine.

    Args:
        wanted: what the file should hold, for the message where there is no file.

    Raises:
        NeuronError: there is no such file, or it cannot be imported; one line with the file and the reason.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise NeuronError(f"{path}: no such file; {wanted}")
    name = f"{FILE_MODULE}{path.stem}_{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NeuronError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(path.parent) not in sys.path:  # last, so that what lies beside the file hides no package
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except NeuronError:
        del sys.modules[name]
        raise
    except SystemExit as error:
        del sys.modules[name]
        raise NeuronError(f"{path}: it ends the program when it is imported (exit code {error.code})") from error
    except Exception as error:
        del sys.modules[name]
        raise NeuronError(f"{path}: {type(error).__name__}: {error}") from error
    return module
