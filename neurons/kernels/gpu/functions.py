"""Functions that a step may use and that Triton's language lacks, for every GPU and for Triton's interpreter."""

import triton
import triton.language as tl


@triton.jit
def tanh(x):
    """An odd polynomial near 0 (Cephes' tanhf), elsewhere by exp(-2|x|)."""
    size = tl.abs(x)
    z = x * x
    p = -5.70498872745e-3 * z + 2.06390887954e-2
    p = p * z - 5.37397155531e-2
    p = p * z + 1.33314422036e-1
    p = p * z - 3.33332819422e-1
    e = tl.exp(-2.0 * size)
    large = (1.0 - e) / (1.0 + e)
    return tl.where(size < 0.625, p * z * x + x, tl.where(x < 0.0, -large, large))


@triton.jit
def atan(x):
    """Reduced to |z| ≤ tan(π/8), then an odd polynomial (Cephes' atanf)."""
    size = tl.abs(x)
    far, middle = size > 2.414213562373095, size > 0.4142135623730950
    z = tl.where(far, -1.0 / tl.where(far, size, 1.0), tl.where(middle, (size - 1.0) / (size + 1.0), size))
    base = tl.where(far, 1.5707963267948966, tl.where(middle, 0.7853981633974483, 0.0))
    z2 = z * z
    p = 8.05374449538e-2 * z2 - 1.38776856032e-1
    p = p * z2 + 1.99777106478e-1
    p = p * z2 - 3.33329491539e-1
    value = base + (p * z2 * z + z)
    return tl.where(x < 0.0, -value, value)


@triton.jit
def log1p(x):
    """By log(1 + x), corrected for the rounding of 1 + x (Kahan)."""
    y = 1.0 + x
    rounded = y - 1.0
    usual = (rounded == 0.0) | (y == float("inf"))
    corrected = tl.log(y) * (x / tl.where(usual, 1.0, rounded))
    return tl.where(rounded == 0.0, x, tl.where(y == float("inf"), y, corrected))


@triton.jit
def expm1(x):
    """By exp(x) − 1, corrected for its rounding (Kahan)."""
    y = tl.exp(x)
    below = y - 1.0
    usual = (y == 1.0) | (below == -1.0) | (y == float("inf"))
    corrected = below * x / tl.where(usual, 1.0, tl.log(y))
    return tl.where(y == 1.0, x, tl.where(usual, below, corrected))


@triton.jit
def sign(x):
    return (x > 0.0).to(tl.float32) - (x < 0.0).to(tl.float32)


@triton.jit
def maximum(a, b):
    """NaN in either goes through, as in torch."""
    return tl.where(a != a, a, tl.where(a > b, a, b))  # masks of a number and of a tile are not joined


@triton.jit
def minimum(a, b):
    """NaN in either goes through, as in torch."""
    return tl.where(a != a, a, tl.where(a < b, a, b))


@triton.jit
def trunc(x):
    return tl.where(x < 0.0, tl.ceil(x), tl.floor(x))


@triton.jit
def is_nan(x):
    return x != x


@triton.jit
def square(x):
    return x * x


@triton.jit
def clamp_min(x, low):
    """NaN in x goes through."""
    return tl.where(x < low, low, x)


@triton.jit
def clamp_max(x, high):
    """NaN in x goes through."""
    return tl.where(x > high, high, x)


@triton.jit
def round_even(x):
    """Halves to the even neighbour, by adding a number that leaves no bit for a fraction; from 2^23 on x has none."""
    size = tl.abs(x)
    small = (x + 12582912.0) - 12582912.0
    large = tl.where(x < 0.0, (x - 8388608.0) + 8388608.0, (x + 8388608.0) - 8388608.0)
    return tl.where(size < 4194304.0, small, tl.where(size < 8388608.0, large, x))


@triton.jit
def fmod(a, b):
    """The rest of a / b, of the sign of a."""
    return a % b


@triton.jit
def remainder(a, b):
    """The rest of a / b, of the sign of b."""
    rest = a % b
    return tl.where((rest != 0.0) & ((rest < 0.0) != (b < 0.0)), rest + b, rest)


@triton.jit
def power(a, b):
    """a^b; NaN for a < 0 unless b is whole or a infinite."""
    size = tl.where(tl.abs(a) == 1.0, 1.0, tl.exp2(b * tl.log2(tl.abs(a))))
    whole = tl.floor(b) == b
    odd = whole & (tl.floor(b / 2.0) * 2.0 != b)
    broken = tl.where(tl.abs(a) == float("inf"), size, float("nan"))
    signed = tl.where(odd, -size, tl.where(whole, size, broken))
    return tl.where(b == 0.0, 1.0, tl.where(a < 0.0, signed, size))
