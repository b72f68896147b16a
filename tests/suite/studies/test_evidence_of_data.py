"""What data sets need, and the study of NeuroSeqBench, by rows made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import pytest

from suite.studies import studies, temporal_need
from tests.suite.studies.made_rows import Rows, accuracy, exchanged, findings

NEEDS = {
    # data set: LIF's accuracy with the full gradient, with it cut, and without state
    "delayed_recall": (97, 40, 25),
    "binary_adding": (30, 20, 10),
    "mnist5k_rows": (75, 75, 60),
    "digits": (96, 96, 96),
}


def need_rows(needs: Mapping[str, Sequence[float]] = NEEDS) -> pd.DataFrame:
    rows = Rows()
    for dataset, accuracies in needs.items():
        for time, value in zip(("full", "cut", "none"), accuracies, strict=True):
            own = {"dataset": dataset, "time": time, "task": "temporal_need", "neuron": "lif"}
            accuracy(rows, value, scatter={"full": 1, "cut": -1, "none": 0.5}[time], **own)
    return rows.frame()


def test_needs_of_data_sets() -> None:
    found = findings("temporal_need", need_rows())
    expected = {
        "recall_needs_time": ("supported", 72),
        "adding_needs_gradient": ("supported", 10),
        "rows_need_time": ("supported", 15),
        "digits_need_no_time": ("equal within the margin", 0),
    }
    for name, (verdict, effect) in expected.items():
        assert found[name].verdict == verdict
        own = found[name].effect
        assert own is not None
        assert own.mean == pytest.approx(effect)
    turned = findings("temporal_need", need_rows({name: own[::-1] for name, own in NEEDS.items()}))
    assert {turned[name].verdict for name in ("recall_needs_time", "rows_need_time")} == {"contradicted"}


@pytest.mark.parametrize(
    ("accuracies", "needs"),
    [
        ((97, 40, 25), "gradient through time"),
        ((75, 75, 60), "state alone"),
        ((75, 80, 60), "state alone"),  # a cut gradient that does better needs no gradient through time
        ((96, 96, 96), "no"),
        ((90, 96, 96), "no"),  # worse with state
        ((40, 25, 96), "no"),
    ],
)
def test_what_a_data_set_needs(accuracies: tuple[float, ...], needs: str) -> None:
    rows = need_rows({"delayed_recall": accuracies, "digits": (96, 96, 96)})
    assert temporal_need.verdicts(rows) == {"delayed_recall": needs, "digits": "no"}
    (means, found) = temporal_need.needs(rows)["delayed_recall"]
    assert found == needs
    assert [own.mean for own in means.values()] == pytest.approx(accuracies)


def test_what_is_not_told_is_said() -> None:
    rows = need_rows({"digits": (96, 96, 95)})
    noisy = rows.assign(value=rows.value + 20 * (rows.seed % 2) * rows.settings.str.contains("none"))
    assert temporal_need.verdicts(noisy) == {"digits": "not told"}


def test_a_sentence_says_what_each_needs_and_what_is_not_told() -> None:
    told = "LIF needs the gradient through time on delayed recall and Binary adding; state alone on MNIST rows; "
    assert temporal_need.says(need_rows()) == told + "neither on digits."
    alike = need_rows({"digits": (96, 96, 95)})
    noisy = alike.assign(value=alike.value + 20 * (alike.seed % 2) * alike.settings.str.contains("none"))
    assert temporal_need.says(noisy) == "These seeds do not tell on digits."


def sequence_rows() -> pd.DataFrame:
    """CLIF 3 points below LIF, its variant alike, all better at the slow decay; recurrent ones 20 points above."""
    rows = Rows()
    for network, lead in (("mlp", 0), ("recurrent", 20)):
        for neuron, value in {"if": 30, "lif": 25, "plif": 26, "glif": 40, "clif": 22, "clif_in_place": 22}.items():
            own = {"dataset": "binary_adding", "network": network, "neuron": neuron}
            accuracy(rows, value + lead, scatter=value - 24.5, neuron__tau=2.0, **own)
            if neuron in ("lif", "clif"):
                accuracy(rows, value + lead + 10, scatter=value - 20, neuron__tau=50.0, **own)
    return rows.frame()


def test_neurons_of_neuroseqbench() -> None:
    found = findings("neuroseqbench", sequence_rows())
    assert {name: (own.verdict, own.effect and round(own.effect.mean, 6)) for name, own in found.items()} == {
        "adding_clif_below_lif": ("supported", -3),
        "adding_clif_below_lif_recurrent": ("supported", -3),
        "adding_decay_decides": ("supported", 10),
        "adding_in_place_is_alike": ("equal within the margin", 0),
    }
    turned = findings("neuroseqbench", exchanged(sequence_rows(), "neuron", "clif", "lif"))
    assert turned["adding_clif_below_lif"].verdict == "contradicted"
    assert turned["adding_in_place_is_alike"].verdict == "contradicted"


def test_printed_figures_stand_beside_those_of_the_same_neuron() -> None:
    """NeuroSeqBench's CLIF is the variant; the paper's CLIF and other time constants have no figure there."""
    found = studies()["neuroseqbench"].table(sequence_rows())
    texts = {name: [entry.text for entry in entries] for name, entries in found.rows}
    assert texts["lif, tau 2"][1::2] == ["—", "59.3"]
    assert texts["lif, tau 50"][1::2] == ["32.4", "—"]
    assert texts["clif_in_place, tau 2"][1::2] == ["29.2", "56.4"]
    for line in ("clif, tau 2", "if, tau 2", "clif, tau 50"):
        assert texts[f"{line}"][1::2] == ["—", "—"]
    assert texts["clif, tau 2"][0].startswith("22.0")
