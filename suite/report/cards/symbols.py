"""What the names of a step are called in an equation, in MathML."""

from __future__ import annotations

import html

GREEK = {
    **{"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "theta": "θ", "kappa": "κ", "rho": "ρ", "sigma": "σ"},
    **{"tau": "τ", "phi": "φ", "omega": "ω", "mu": "μ"},
}
"""Words that papers write as a letter."""
LARGEST_WHOLE = 1e6
SPIKES = ("spike", "spikes", "output")


def symbol(name: str) -> str:
    """A letter, a letter with a subscript, or the word itself: `tau_w` is τ with a w below it, `log_dt` is log dt."""
    if name == "decay":  # of `Neuron`: the γ of this suite's texts
        return "<mi>γ</mi>"
    base, _, below = name.partition("_")
    letter = GREEK.get(base, base)
    if len(letter) > 1 and not (letter[0].isalpha() and letter[1:].isdigit()):
        return f"<mtext>{html.escape(name.replace('_', ' '))}</mtext>"
    if len(letter) > 1:
        letter, below = letter[0], letter[1:] + (f" {below}" if below else "")
    if not below:
        return f"<mi>{html.escape(letter)}</mi>"
    return f"<msub><mi>{html.escape(letter)}</mi><mtext>{html.escape(below.replace('_', ' '))}</mtext></msub>"


def of_time(written: str, back: int = 0) -> str:
    """A symbol of step t, or of one that many steps before it."""
    when = "<mi>t</mi>" if not back else f"<mrow><mi>t</mi><mo>−</mo><mn>{back}</mn></mrow>"
    if written.startswith("<msub>"):
        base, _, below = written.removeprefix("<msub>").removesuffix("</msub>").partition("</mi>")
        return f"<msub>{base}</mi><mrow>{below}<mo>,</mo>{when}</mrow></msub>"
    return f"<msub>{written}{when}</msub>"


def hatted(written: str, times: int) -> str:
    """A value of the name of a state that is not yet the state after the step; the second has two hats."""
    for _ in range(times):
        written = f'<mover accent="true">{written}<mo>^</mo></mover>'
    return written


def number(value: float) -> str:
    """Four digits of a constant."""
    whole = value == int(value) and abs(value) < LARGEST_WHOLE
    text = str(int(abs(value))) if whole else f"{abs(value):.4g}"
    sign = "<mo form='prefix'>−</mo>" if value < 0 else ""
    return f"{sign}<mn>{text}</mn>"
