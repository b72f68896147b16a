"""Arguments of users, checked where they come in: numpy's and torch's scalars are taken, all else is one line."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any, overload

from neurons.errors import InvalidValue


@overload
def whole_number(name: str, value: None, least: int = 1) -> None: ...
@overload
def whole_number(name: str, value: object, least: int = 1) -> int: ...
def whole_number(name: str, value: Any, least: int = 1) -> int | None:
    """`value` as an int of at least `least`, or None; InvalidValue otherwise."""
    if value is None:
        return None
    try:
        found = None if isinstance(value, (bool, str)) else operator.index(value)
    except (TypeError, ValueError):
        found = None
    if found is None or found < least:
        raise InvalidValue(f"{name} must be at least {least}, a whole number, not {value!r}")
    return found


def like(name: str, value: Any, default: Any) -> Any:
    """`value` as a plain constant of the kind of `default`: truth value, number, or word.

    Raises:
        InvalidValue: it is of another kind, or not a number at all (NaN).
    """
    value = scalar(value)
    if isinstance(default, bool):
        if isinstance(value, bool) or value in (0, 1):
            return bool(value)
        raise InvalidValue(f"{name} must be True or False, not {value!r}")
    if isinstance(default, str):
        if isinstance(value, str):
            return value
        raise InvalidValue(f"{name} must be a word such as '{default}', not {value!r}")
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or math.isnan(value):
        raise InvalidValue(f"{name} must be a number, not {value!r}")
    return value


def scalar(value: Any) -> Any:
    """The Python number in a scalar of numpy or torch; anything else as it is."""
    single = getattr(value, "ndim", None) == 0 and hasattr(value, "item")
    return value.item() if single else value
