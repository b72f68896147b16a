"""One look for all plots: fonts, sizes, and the same colour for a neuron everywhere."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import seaborn as sns

ORDER = ["lif", "plif", "klif", "glif", "clif", "relu"]
PALETTE = sns.color_palette("colorblind", 10)


def apply() -> None:
    """Set seaborn's theme for all plots."""
    sns.set_theme(context="paper", style="ticks", font_scale=1.05)
    plt.rcParams.update({"svg.fonttype": "none", "axes.spines.top": False})
    plt.rcParams.update({"axes.spines.right": False, "savefig.dpi": 160, "legend.frameon": False})


def colours(neurons: Iterable[str]) -> dict[str, tuple[float, float, float]]:
    """The colour of each neuron: fixed for the known ones, the next free ones for others in alphabetical order."""
    names = set(neurons)
    others = sorted(names - set(ORDER))
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate([*ORDER, *others]) if name in names}


def ordered(neurons: Iterable[str]) -> list[str]:
    """Known neurons in the order of the papers, then the others."""
    return list(colours(neurons))
