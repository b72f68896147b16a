"""What a report computes once of its rows."""

import gc

import pandas as pd

from suite.report.once import once


def test_a_frame_is_computed_once_for_each_question() -> None:
    asked = []

    @once
    def total(rows: pd.DataFrame, factor: int = 1) -> int:
        asked.append(factor)
        return int(rows.value.sum()) * factor

    rows = pd.DataFrame({"value": [1, 2]})
    assert [total(rows), total(rows), total(rows, 2), total(rows, factor=2), total(rows, factor=2)] == [3, 3, 6, 6, 6]
    assert asked == [1, 2, 2]


def test_another_frame_is_asked_anew_even_at_the_same_place() -> None:
    @once
    def total(rows: pd.DataFrame) -> int:
        return int(rows.value.sum())

    for value in range(50):  # each frame is gone before the next, which may get its number
        assert total(pd.DataFrame({"value": [value]})) == value
    gc.collect()


def test_what_was_computed_goes_with_its_frame() -> None:
    gone = []

    class Answer:
        def __del__(self) -> None:
            gone.append(self)

    @once
    def answer(rows: pd.DataFrame) -> Answer:
        return Answer()

    rows = pd.DataFrame({"value": [1]})
    answer(rows)
    gc.collect()
    assert not gone
    del rows
    gc.collect()
    assert len(gone) == 1
