"""Each study on rows made by hand as the paper claims: every verdict supports it, and turns with the two sides."""

from __future__ import annotations

import pandas as pd
import pytest

from suite.studies import studies
from suite.studies.base import table_of
from tests.suite.studies.made_rows import Rows, accuracy, exchanged, findings


def neurons_rows() -> pd.DataFrame:
    rows = Rows()
    for neuron, value in {"clif": 95, "lif": 93, "plif": 92, "klif": 91, "glif": 90, "relu": 94}.items():
        accuracy(rows, value, scatter=value - 90.5, neuron=neuron)
    return rows.frame()


@pytest.mark.parametrize("other", ["lif", "plif", "klif", "glif", "relu"])
def test_neurons(other: str) -> None:
    name = "beats_ann" if other == "relu" else f"beats_{other}"
    found = findings("neurons", neurons_rows())
    assert found[name].verdict == "supported"
    assert found["no_added_parameter"].verdict == "holds"
    turned = findings("neurons", exchanged(neurons_rows(), "neuron", "clif", other))
    assert turned[name].verdict == "contradicted"


def test_the_baseline_of_a_sequence_is_the_recurrent_network() -> None:
    """CLIF is above a ReLU without memory and below the GRU, and the GRU decides."""
    rows = Rows()
    for neuron, network, value in (("clif", "mlp", 80), ("relu", "mlp", 60), ("relu", "gru", 95)):
        accuracy(rows, value, scatter=value / 50, neuron=neuron, network=network)
    found = findings("neurons", rows.frame())["beats_ann"]
    assert found.verdict == "contradicted"
    assert "GRU 95" in found.measured
    assert "a GRU is of another structure" in found.beside
    assert "GRU" not in findings("neurons", neurons_rows())["beats_ann"].beside


LENGTHS = {1: 88, 2: 90, 4: 92, 8: 93, 16: 94, 32: 95, 64: 94}


def timesteps_rows(lead: float = 2.0) -> pd.DataFrame:
    """LIF rises to T = 32 and falls; CLIF is the same at T = 1, ahead from 2 on and rises to the end."""
    rows = Rows()
    for steps, value in LENGTHS.items():
        accuracy(rows, value, scatter=1 + (steps > 1), neuron="lif", timesteps=steps)
        own = value if steps == 1 else value + lead + 2 * (steps == 64)
        accuracy(rows, own, scatter=1, neuron="clif", timesteps=steps)
    return rows.frame()


def test_timesteps() -> None:
    rows = timesteps_rows()
    found = findings("timesteps", rows)
    claims = ["better_at_two_steps", "better_at_every_length", "lif_declines", "clif_keeps_rising"]
    assert [found[name].verdict for name in claims] == ["supported"] * 4
    assert found["equal_at_one_step"].verdict == "holds"
    assert found["better_at_every_length"].effect is not None
    assert found["better_at_every_length"].effect.mean == pytest.approx(2 + 2 / 6)
    turned = findings("timesteps", exchanged(rows, "neuron", "clif", "lif"))
    assert [turned[name].verdict for name in claims] == ["contradicted"] * 4
    apart = rows.assign(value=rows.value + 1e-3 * ((rows.neuron == "clif") & (rows.timesteps == 1)))
    assert findings("timesteps", apart)["equal_at_one_step"].verdict == "fails"


def test_a_decline_beyond_the_peak_needs_a_t_beyond_it() -> None:
    """LIF falls from 16 to 32 here, where the paper has it rise: nothing is said of what comes after."""
    rows = timesteps_rows()
    short = rows[rows.timesteps <= 32]
    falling = short.assign(value=short.value - 5 * ((short.neuron == "lif") & (short.timesteps == 32)))
    for own in (short, falling):
        found = findings("timesteps", own)
        assert found["lif_declines"].verdict == "no evidence"
        assert "T ends at 32 here" in found["lif_declines"].why
        assert "T ends" not in found["clif_keeps_rising"].why


def test_a_lead_over_all_lengths_is_shown_at_each() -> None:
    beside = findings("timesteps", timesteps_rows())["better_at_every_length"].beside
    assert [part.split(":")[0] for part in beside.split("by T: ")[1].split(", ")] == ["2", "4", "8", "16", "32", "64"]
    assert "64: 4.0" in beside


def truncation_rows(two: float) -> pd.DataFrame:
    rows = Rows()
    accuracies = {2.0: {1: 80, 2: two, 4: 94, None: 95}, 1.1: {1: 93, 2: 94, 4: 95, None: 95}}
    for tau, by_k in accuracies.items():
        for k, value in by_k.items():
            accuracy(rows, value, scatter=1 + 0.1 * (k or 6), neuron="lif", neuron__tau=tau, bptt_steps=k)
    return rows.frame()


def test_truncation() -> None:
    found = findings("truncation", truncation_rows(two=95))
    assert {name: own.verdict for name, own in found.items()} == {
        "two_steps_suffice": "equal within the margin",
        "one_step_loses": "supported",
        "longer_tau_loses_more": "supported",
    }
    assert found["one_step_loses"].effect is not None
    assert found["one_step_loses"].effect.mean == pytest.approx(15)
    assert findings("truncation", truncation_rows(two=90))["two_steps_suffice"].verdict == "contradicted"
    rows = truncation_rows(two=95)
    swapped = rows.assign(
        settings=rows.settings.str.replace("2.0", "x").str.replace("1.1", "2.0").str.replace("x", "1.1")
    )
    assert findings("truncation", swapped)["longer_tau_loses_more"].verdict == "contradicted"


def gradient_rows() -> pd.DataFrame:
    rows = Rows()
    for neuron, vanished, ratio, horizon in (("lif", 0.7, 0.2, 3), ("clif", 0.1, 0.8, 6)):
        common = {"neuron": neuron, "layer": "neurons.0", "progress": 1.0, "task": "temporal_gradient"}
        rows.add("vanished_fraction", vanished, 0.1 + ratio / 5, **common)
        rows.add("outside_fraction", 0.5, 0.1, **common)
        rows.add("temporal_ratio", ratio, 0.1 + ratio / 5, **common)
        rows.add("horizon", horizon, 0.1 + ratio, **common)
        rows.add("sum_error", 1e-7, 0, **common)
        for step in range(4):
            rows.add("spatial_gradient", 1.0, 0, step=step, **common)
            for lag in range(1, 4 - step):
                rows.add("temporal_gradient", 0.4**lag, 0, step=step, lag=lag, **common)
    for lag in range(1, 4):
        rows.add("decay_by_lag", 0.5**lag, 0, neuron="lif", layer="neurons.0", lag=lag, progress=1.0)
        own = {"neuron": "clif", "layer": "neurons.0", "lag": lag, "progress": 1.0}
        rows.add("through_u_by_lag", 0.1**lag, 0.01**lag, **own)
        rows.add("through_others_by_lag", 2 * 0.1**lag, 0, **own)
        rows.add("lif_paths_by_lag", 0.1**lag, 0.01**lag, **own)
        rows.add("beyond_lif_by_lag", 2 * 0.1**lag, 0, **own)
        rows.add("m2_by_lag", 0.0 if lag == 1 else 0.01 * 0.5**lag, 0, **own)
    rows.add("smallest_psi", 0.0, 0, neuron="clif", layer="neurons.0", progress=1.0)
    return rows.frame()


def test_temporal_gradient() -> None:
    rows = gradient_rows()
    found = findings("temporal_gradient", rows)
    by_neuron = ["lif_vanishes", "extra_temporal_gradient", "reaches_further"]
    by_path = ["m2_decays_slower", "complementary_outweighs"]
    assert [found[name].verdict for name in by_neuron + by_path] == ["supported"] * 5
    assert [found[n].verdict for n in ("gradient_is_the_sum", "leak_alone", "psi_is_not_negative")] == ["holds"] * 3
    one_value = rows.metric.isin(["vanished_fraction", "temporal_ratio", "horizon"])
    turned = pd.concat([exchanged(rows[one_value], "neuron", "clif", "lif"), rows[~one_value]])
    assert [findings("temporal_gradient", turned)[name].verdict for name in by_neuron] == ["contradicted"] * 3
    swapped = exchanged(rows, "metric", "m2_by_lag", "through_u_by_lag")
    assert findings("temporal_gradient", swapped)["m2_decays_slower"].verdict == "contradicted"
    swapped = exchanged(rows, "metric", "beyond_lif_by_lag", "lif_paths_by_lag")
    assert findings("temporal_gradient", swapped)["complementary_outweighs"].verdict == "contradicted"


@pytest.mark.parametrize(
    ("metric", "value", "check"),
    [
        ("sum_error", 1e-3, "gradient_is_the_sum"),
        ("temporal_gradient", 0.9, "leak_alone"),
        ("smallest_psi", -0.1, "psi_is_not_negative"),
    ],
)
def test_an_identity_that_is_broken_fails(metric: str, value: float, check: str) -> None:
    rows = gradient_rows()
    broken = rows.assign(value=rows.value.mask(rows.metric == metric, value))
    assert findings("temporal_gradient", broken)[check].verdict == "fails"


def exchange_rows() -> pd.DataFrame:
    """From epoch 5 on (exchange at 3, a fifth of ten epochs later) the exchanged network's loss is lower.

    It is 0.8 at first, then 0.5, so that the epoch that begins the mean shows in it.
    """
    rows = Rows()
    for epoch in range(1, 11):
        rows.add("train_loss", 1.0, 1.0, neuron="lif", step=epoch, exchange_to=None, exchange_at=0)
        later = 9.0 if epoch < 5 else 0.8 if epoch == 5 else 0.5
        rows.add("train_loss", later, 0.7, neuron="lif", step=epoch, exchange_to="clif", exchange_at=3)
    return rows.frame()


def test_exchange() -> None:
    found = findings("exchange", exchange_rows())["exchange_lowers_the_loss"]
    assert found.verdict == "supported"
    assert found.effect is not None
    assert found.effect.mean == pytest.approx((0.8 + 5 * 0.5) / 6 - 1)
    worse = exchange_rows().assign(value=lambda frame: -frame.value)
    assert findings("exchange", worse)["exchange_lowers_the_loss"].verdict == "contradicted"


def loss_rows() -> pd.DataFrame:
    """CLIF's test loss falls below LIF's last at epoch 2 of 5, and ends lower; its training loss ends higher."""
    rows = Rows()
    for epoch in range(1, 6):
        rows.add("test_loss", 2.0 - 0.2 * epoch, 0.1, neuron="lif", step=epoch)
        rows.add("test_loss", 1.5 - 0.3 * epoch, 0.3, neuron="clif", step=epoch)
        rows.add("train_loss", 1.0, 0.1, neuron="lif", step=epoch).add(
            "train_loss", 2.0, 0.2, neuron="clif", step=epoch
        )
    return rows.frame()


def test_loss_curves() -> None:
    found = findings("loss_curves", loss_rows())
    assert [found[name].verdict for name in ("loss_falls_faster", "ends_lower")] == ["supported"] * 2
    assert "training loss, CLIF − LIF: 1.00" in found["ends_lower"].beside
    turned = findings("loss_curves", exchanged(loss_rows(), "neuron", "clif", "lif"))
    assert [turned[name].verdict for name in ("loss_falls_faster", "ends_lower")] == ["contradicted"] * 2


def dynamics_rows() -> pd.DataFrame:
    """m's R_x falls from 8 to 6, LIF's u from 2 to 0.2 (CLIF's own u to 1.9, which nobody asks); centred alike."""
    rows = Rows()
    for neuron, rate in (("lif", 0.5), ("clif", 0.3)):
        rows.add("firing_rate", rate, rate / 5, neuron=neuron, task="dynamics")
    for neuron, layer, first, later in (("lif", "u", 2, 0.2), ("clif", "u", 2, 1.9), ("clif", "m", 8, 6)):
        for lag in range(6):
            own = {"neuron": neuron, "layer": layer, "lag": lag, "task": "dynamics"}
            rows.add("correlation", first if lag == 0 else later, 0.01 * first * (lag > 0), **own)
            if lag:
                rows.add("autocorrelation", later / first, 0.01 * first, **own)
    return rows.frame()


def test_dynamics() -> None:
    claims = ["fires_less_alone", "m_remembers_longer", "m_remembers_longer_centred"]
    rows = dynamics_rows()
    found = findings("dynamics", rows)
    assert [found[name].verdict for name in claims] == ["supported"] * 3
    assert found["m_remembers_longer"].effect is not None
    assert found["m_remembers_longer"].effect.mean == pytest.approx(0.75 - 0.1)
    rates = exchanged(rows, "neuron", "clif", "lif")
    assert findings("dynamics", rates)["fires_less_alone"].verdict == "contradicted"
    place = rows.neuron + rows.layer.fillna("").astype(str)
    turned = rows.assign(
        neuron=rows.neuron.mask(place == "clifm", "lif").mask(place == "lifu", "clif"),
        layer=rows.layer.mask(place == "clifm", "u").mask(place == "lifu", "m"),
    )
    found = findings("dynamics", turned)
    assert [found[name].verdict for name in claims[1:]] == ["contradicted"] * 2


def firing_rows() -> pd.DataFrame:
    rows = Rows()
    for layer in ("neurons.0", "neurons.1"):
        rows.add("firing_rate", 0.2, 0.02, neuron="clif", layer=layer).add(
            "firing_rate", 0.25, 0.04, neuron="lif", layer=layer
        )
    return rows.frame()


def test_firing_rate() -> None:
    assert findings("firing_rate", firing_rows())["fires_less"].verdict == "supported"
    turned = exchanged(firing_rows(), "neuron", "clif", "lif")
    assert findings("firing_rate", turned)["fires_less"].verdict == "contradicted"


def conversion_rows(lif_hard: float) -> pd.DataFrame:
    rows = Rows()
    for neuron, own, soft, hard in (("lif", 94, 94, lif_hard), ("clif", 95.5, 93, 94.5)):
        rows.add("accuracy_own", own, 1.0, neuron=neuron, task="conversion")
        rows.add("accuracy_soft", soft, 1.2, neuron=neuron, task="conversion")
        for lag in range(0, 11, 2):
            value = 95 if lag == 6 and neuron == "clif" else hard if lag == 10 else 20
            scatter = 1.5 if neuron == "clif" else 1.0
            rows.add("accuracy_hard", value, scatter, neuron=neuron, lag=lag, task="conversion")
    return rows.frame()


def test_conversion() -> None:
    """CLIF is ahead at hard −0.1 alone: that is what Table 8's verdict is about."""
    claims = ["reset_value_hurts_lif", "clif_survives_the_reset", "soft_reset_costs", "converted_beats_lif"]
    found = findings("conversion", conversion_rows(lif_hard=27))
    assert [found[name].verdict for name in claims] == ["supported"] * 4
    assert found["clif_survives_the_reset"].effect is not None
    assert found["clif_survives_the_reset"].effect.mean == pytest.approx(67.5)
    turned = findings("conversion", exchanged(conversion_rows(lif_hard=27), "neuron", "clif", "lif"))
    assert turned["soft_reset_costs"].verdict != "supported"
    assert turned["clif_survives_the_reset"].verdict == "no evidence"


def test_conversion_says_nothing_where_lif_does_not_suffer() -> None:
    found = findings("conversion", conversion_rows(lif_hard=93.5))["clif_survives_the_reset"]
    assert found.verdict == "no evidence"
    assert "its precondition fails: LIF networks lose 0.5 points" in found.why


def ablation_rows() -> pd.DataFrame:
    """CLIF leads, falls to LIF without its gradient, and learns slowly; more reset does not help LIF."""
    rows = Rows()
    variants = {
        ("clif", "accuracy"): (96, {}),
        ("lif", "accuracy"): (94, {}),
        ("clif", "ablation m"): (94.2, {"cut": "m"}),
        ("clif", "ablation back"): (93.9, {"backward_of": "lif"}),
        ("lif", "ablation back"): (95.9, {"backward_of": "clif"}),
        ("lif", "ablation half"): (94.5, {"extra_reset": 0.5}),
        ("lif", "ablation more"): (92, {"extra_reset": 0.75}),
    }
    nothing = {"cut": None, "extra_reset": 0.0, "backward_of": None}
    for (neuron, kind), (value, change) in variants.items():
        own = {"neuron": neuron, "task": kind.split()[0]} | (nothing | change if change else {})
        accuracy(rows, value, scatter=value - 92.5, **own)
        for epoch in range(1, 11):
            loss = 2.0 if (neuron, kind, epoch) == ("clif", "accuracy", 2) else 1.0
            rows.add("train_loss", loss, loss, step=epoch, **own)
    return rows.frame()


def test_ablation() -> None:
    found = findings("ablation", ablation_rows())
    assert {name: own.verdict for name, own in found.items()} == {
        "m_gradient_helps": "supported",
        "backward_explains": "supported",
        "gradient_alone_helps": "supported",
        "reset_explains": "contradicted",
        "reset_slows_learning": "supported",
    }
    effects = {name: own.effect.mean for name, own in found.items() if own.effect is not None}
    assert effects == pytest.approx(
        {
            "m_gradient_helps": 1.8,
            "backward_explains": 2.1,
            "gradient_alone_helps": 1.9,
            "reset_explains": 4,
            "reset_slows_learning": 1,
        }
    )
    plain = ablation_rows()
    whole = plain.task == "accuracy"
    turned = pd.concat([exchanged(plain[whole], "neuron", "clif", "lif"), plain[~whole]])
    assert findings("ablation", turned)["reset_slows_learning"].verdict == "contradicted"


def recall_rows() -> pd.DataFrame:
    """LIF is at 99 everywhere; CLIF at 40, at 99.9 with tau 4, at 90 with 60 epochs."""
    rows = Rows()
    for tau in (2.0, 4.0):
        for rate in (0.005, 0.02):
            for epochs in (12, 60):
                own = {"neuron__tau": tau, "learning_rate": rate, "epochs": epochs, "dataset": "delayed_recall"}
                clif = 99.9 if tau == 4 else 90 if epochs == 60 else 40
                accuracy(rows, clif, scatter=100 - clif, neuron="clif", **own)
                accuracy(rows, 99, scatter=0.5, neuron="lif", **own)
    return rows.frame()


def test_delayed_recall() -> None:
    claims = ["longer_tau_frees_clif", "more_epochs_free_clif", "recall_at_equal_tuning"]
    found = findings("delayed_recall", recall_rows())
    assert [found[name].verdict for name in claims] == ["supported"] * 3
    effects = [own.effect.mean for own in found.values() if own.effect is not None]
    assert effects == pytest.approx([59.9, 50, 0.9])
    assert "CLIF (tau 4, rate 0.005, epochs 12) 99.9" in found["recall_at_equal_tuning"].measured
    turned = findings("delayed_recall", exchanged(recall_rows(), "neuron", "clif", "lif"))
    assert turned["recall_at_equal_tuning"].verdict == "contradicted"
    assert turned["longer_tau_frees_clif"].verdict == "no evidence"


def test_no_study_is_forgotten() -> None:
    """Every study's verdicts are turned by a test of this file or of test_energy.py."""
    tested = {"neurons", "timesteps", "truncation", "temporal_gradient", "exchange", "loss_curves", "dynamics"}
    tested |= {"firing_rate", "conversion", "ablation", "delayed_recall", "energy", "temporal_need", "neuroseqbench"}
    assert tested == set(studies())


def test_columns_of_numbers_go_by_size() -> None:
    rows = Rows()
    for steps in (16, 2, 8):
        rows.add("accuracy_final", 90.0, neuron="lif", timesteps=steps)
    found = table_of("t", "Title", "Caption", rows.frame(), "neuron", "timesteps")
    assert found.header == ["neuron", "2", "8", "16"]
