"""How a neuron comes to other processes: by a Python file that defines it, written where a class has none.

A class of a notebook's cell or of a script is written out with all that it uses: its own source, functions, classes
and constants of the same place, and imports of the rest. The file is tried before it is used: a neuron that it does not
give again as it is in this process is refused.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import inspect
import linecache
import math
import symtable
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from neurons import registry
from neurons.errors import NeuronError
from neurons.fingerprint import fingerprint
from neurons.model import Neuron
from neurons.user_file import FILE_MODULE, installed

CONSTANTS = (bool, int, float, str, bytes, type(None))
WAY_OUT = "write the cell to a file (%%writefile my_neuron.py) and load it: neurons.load_file('my_neuron.py')"


def file_of(cls: type[Neuron], folder: Path) -> Path | None:
    """The file by which other processes load a registered model; None if they find it by themselves.

    Args:
        folder: where it is written if the class was defined in a notebook or a script.

    Raises:
        NeuronError: the class cannot travel; the message says why, and what to do instead.
    """
    module = sys.modules.get(cls.__module__)
    if cls.__module__.startswith("neurons.") or registry.registered(cls.name) is not cls or _of_entry_point(cls):
        return None
    known = getattr(module, "__file__", None)
    if cls.__module__.startswith(FILE_MODULE):
        return Path(str(known))
    if cls.__module__ != "__main__" and known is not None:
        path = Path(known)
    else:
        text = source_text(cls)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        path = folder / f"{cls.name}_{digest}.py"
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _try(cls, path)
    return path


def source_text(cls: type[Neuron]) -> str:
    """The source of a Python file that defines and registers a model as it is defined here.

    Raises:
        NeuronError: its source is not known, or it uses what cannot be written down.
    """
    parts: dict[str, str] = {}
    _write(cls, cls.__name__, parts, cls.name)
    imports = [text for text in parts.values() if text.startswith(("import ", "from "))]
    rest = [text for text in parts.values() if not text.startswith(("import ", "from "))]
    final = "from neurons import register as _register\n"
    return "\n\n".join([final + "\n".join(imports), *rest, f"_register({cls.__name__})"]) + "\n"


def _write(value: Any, name: str, parts: dict[str, str], neuron: str) -> None:
    """Add to `parts` what gives `name` its value, after all that it needs itself."""
    if name in parts:
        return
    text = _imported(value, name) or _constant(value, name)
    if text is not None:
        parts[name] = text
        return
    own = inspect.unwrap(value) if isinstance(value, FunctionType) else value
    if not isinstance(own, type | FunctionType):
        kind = type(value).__name__
        raise NeuronError(
            f"neuron {neuron}: it uses {name}, a {kind} of the notebook or script, which cannot be written down for "
            f"other processes: put it into the class, or {WAY_OUT}"
        )
    source = _source(own, neuron)
    parts[name] = ""  # a function that calls itself
    scope = own.__globals__ if isinstance(own, FunctionType) else vars(sys.modules[own.__module__])
    for used in sorted(_globals_of(source)):
        if used in scope and used != own.__name__:
            _write(scope[used], used, parts, neuron)
        elif used not in scope and not hasattr(builtins, used):
            raise NeuronError(f"neuron {neuron}: {own.__name__} uses {used}, which is not defined")
    del parts[name]
    parts[name] = source + (f"\n\n{name} = {own.__name__}" if name != own.__name__ else "")


def _imported(value: Any, name: str) -> str | None:
    """The line that imports a module, or what a module other than the notebook holds; None if none does."""
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}" if value.__name__ != "__main__" else None
    module, own = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not (isinstance(module, str) and isinstance(own, str)) or module == "__main__" or module.startswith(FILE_MODULE):
        return None
    held = "." not in own and getattr(sys.modules.get(module), own, None) is value
    return f"from {module} import {own} as {name}" if held else None


def _constant(value: Any, name: str) -> str | None:
    """The line that sets a plain constant; None if it is none."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{name} = float('{value}')"
    try:
        same = ast.literal_eval(repr(value)) == value
    except (ValueError, SyntaxError, TypeError):
        return None
    return f"{name} = {value!r}" if same and isinstance(value, (*CONSTANTS, tuple, list, dict, set)) else None


def _source(value: type | FunctionType, neuron: str) -> str:
    """The source of a class or function, with its decorators but `register`."""
    code = next(_codes(value), None)
    script = getattr(sys.modules["__main__"], "__file__", None) or ""
    places = [code.co_filename] if code is not None else [script, *reversed(linecache.cache)]
    for place in places:
        lines = linecache.getlines(str(place))
        for node in _defined(lines, value):
            first = min([node.lineno, *(own.lineno for own in node.decorator_list)])
            if code is None or first <= code.co_firstlineno <= (node.end_lineno or 0):
                if node.col_offset:
                    raise NeuronError(f"neuron {neuron}: {value.__name__} is defined inside another block: {WAY_OUT}")
                kept = [f"@{text}\n" for own in node.decorator_list if not _registers(text := ast.unparse(own))]
                return "".join([*kept, *lines[node.lineno - 1 : node.end_lineno]]).rstrip()
    raise NeuronError(f"neuron {neuron}: the source of {value.__name__} is not known: {WAY_OUT}")


def _registers(decorator: str) -> bool:
    """A base class must not be registered a second time, from another file; the model itself is, at the end."""
    return decorator.rpartition(".")[2] == "register"


def _defined(lines: Sequence[str], value: type | FunctionType) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Where a source defines something of that name and kind."""
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return
    kind = ast.ClassDef if isinstance(value, type) else ast.FunctionDef
    for node in ast.walk(tree):
        if isinstance(node, kind) and node.name == value.__name__:
            yield node


def _codes(value: type | FunctionType) -> Iterator[Any]:
    """The code objects of a function, or of the methods of a class."""
    if isinstance(value, FunctionType):
        yield value.__code__
        return
    for member in vars(value).values():
        own = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if isinstance(own, FunctionType) and own.__qualname__.startswith(f"{value.__qualname__}."):
            yield own.__code__


def _globals_of(source: str) -> set[str]:
    """Names that a piece of source takes from around it."""
    found = set()
    open_ = [symtable.symtable(source, "<source>", "exec")]
    top = open_[0]
    while open_:
        table = open_.pop()
        open_ += table.get_children()
        for symbol in table.get_symbols():
            taken = symbol.is_referenced() and not symbol.is_assigned() if table is top else symbol.is_global()
            if taken and symbol.is_referenced():
                found.add(symbol.get_name())
    return found - {name for symbol in top.get_symbols() if symbol.is_assigned() and (name := symbol.get_name())}


def _of_entry_point(cls: type[Neuron]) -> bool:
    own = cls.__module__.partition(".")[0]
    return any(entry.module.partition(".")[0] == own for entry in installed("neurons"))


def _try(cls: type[Neuron], path: Path) -> None:
    """Load the file as another process would, and compare."""
    known: Mapping[str, type[Neuron]] = dict(registry._models)
    try:
        registry._models.pop(cls.name)
        names = registry.load_file(path)
        again = registry._models.get(cls.name)
    except NeuronError as error:
        raise NeuronError(f"neuron {cls.name} cannot be loaded by other processes: {error}; {WAY_OUT}") from error
    finally:
        registry._models.clear()
        registry._models.update(known)
        for name in [name for name, module in sys.modules.items() if getattr(module, "__file__", "") == str(path)]:
            if name.startswith(FILE_MODULE):
                del sys.modules[name]
    if again is None or cls.name not in names or fingerprint(again(STEPS)) != fingerprint(cls(STEPS)):
        raise NeuronError(
            f"neuron {cls.name} is another than its source in {path} gives, as after a change from outside the class: "
            f"define it again, or {WAY_OUT}"
        )


STEPS = 8
