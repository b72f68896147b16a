"""Numbers as people read them: as many digits as their uncertainty supports, and never "nan"."""

from __future__ import annotations

import math

from suite.statistics import Estimate

MISSING = "—"
MOST_DECIMALS = 6
"""Beyond, an uncertainty is written with an exponent."""
SMALLEST_P = 0.001


def format_estimate(estimate: Estimate, digits: int) -> str:
    """ "mean ± half width", both ending at the digit that the half width supports.

    Without an interval the mean alone, as `format_value` writes it; equal seeds have "± 0".
    """
    if math.isnan(estimate.half_width) or not math.isfinite(estimate.mean):
        return format_value(estimate.mean, digits)
    if estimate.half_width == 0:
        return f"{format_value(estimate.mean, digits)} ± 0"
    places = decimals(estimate.half_width)
    if places <= MOST_DECIMALS:
        return f"{_fixed(estimate.mean, places)} ± {_fixed(estimate.half_width, places)}"
    exponent = math.floor(math.log10(max(abs(estimate.mean), estimate.half_width)))
    if exponent > -MOST_DECIMALS:
        return f"{_fixed(estimate.mean, places)} ± {_scientific(estimate.half_width, 2)}"
    scaled = [_fixed(value / 10.0**exponent, places + exponent) for value in (estimate.mean, estimate.half_width)]
    return f"({scaled[0]} ± {scaled[1]})e{exponent}"


def format_value(value: float, digits: int) -> str:
    """A number without interval: `digits` after the point (negative: so many in all), at least two that count.

    ∞ if it is infinite, "—" if there is none.
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if digits < 0:
        return _significant(value, -digits)
    if value != 0 and abs(value) < 10.0**-digits:
        return _significant(value, 2)
    return _fixed(value, digits)


def format_p(p: float) -> str:
    """A p value: three significant digits, "< 0.001" below that."""
    if math.isnan(p):
        return MISSING
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.3g}"


def format_spread(median: float, low: float, high: float, digits: int) -> str:
    """ "median (low–high)", to two digits of the spread; the median alone where there is none."""
    if math.isnan(low) or math.isnan(high) or not math.isfinite(median):
        return format_value(median, digits)
    places = min(digits + 1, 1 - math.floor(math.log10(high - low))) if high > low else digits
    return f"{_fixed(median, places)} ({_fixed(low, places)}–{_fixed(high, places)})"


def decimals(uncertainty: float) -> int:
    """Where an uncertainty ends, in digits after the point (negative: before it), by the Particle Data Group's rule.

    Two significant digits if its first three lie between 100 and 354, else one.
    """
    exponent = math.floor(math.log10(uncertainty))
    first_three = round(uncertainty / 10.0 ** (exponent - 2))
    return -exponent + (1 if first_three <= 354 else 0)


def _fixed(value: float, places: int) -> str:
    """With a separator between thousands and a minus sign, not a hyphen; no negative zero."""
    rounded = round(value, places) + 0.0
    return f"{rounded:,.{max(places, 0)}f}".replace("-", "−")


def _significant(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if exponent < -4:
        return _scientific(value, digits)
    return _fixed(value, digits - 1 - exponent)


def _scientific(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa.replace('-', '−')}e{int(exponent)}"
