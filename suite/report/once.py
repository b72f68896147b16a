"""What a report computes of its rows is computed once, however many tables and figures show it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import pandas as pd

P = ParamSpec("P")
R = TypeVar("R")


def once(compute: Callable[Concatenate[pd.DataFrame, P], R]) -> Callable[Concatenate[pd.DataFrame, P], R]:
    """Remember a function's result for the very frame that it was given, as long as that frame lives.

    The rows of a report are never changed in place, and what is computed of them is not either: callers share it.
    Arguments behind the frame are part of the question and must be hashable.
    """
    known: dict[int, tuple[weakref.ref[pd.DataFrame], dict[Hashable, R]]] = {}

    @wraps(compute)
    def remembered(rows: pd.DataFrame, *args: P.args, **kwargs: P.kwargs) -> R:
        number = id(rows)
        if number not in known:
            # the number may be given to another frame once this one is gone
            known[number] = weakref.ref(rows, lambda _: known.pop(number, None)), {}
        answers = known[number][1]
        asked = (args, tuple(sorted(kwargs.items())))
        if asked not in answers:
            answers[asked] = compute(rows, *args, **kwargs)
        return answers[asked]

    return remembered
