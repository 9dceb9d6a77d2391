"""Statistics of small samples, in the forms that the loop's rules use, and how a rule reads a figure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from statistics import NormalDist

Number = int | float | Decimal | Fraction | str

_LARGEST_EXPONENT = 400
_DECIMAL_PLACES = 60


def exact(value: Number) -> Fraction:
    """A figure as the fraction that it is written as: 0.85 is 17/20, not its nearest binary fraction.

    A float is read by its shortest decimal form, a text as a decimal number or a fraction ("0.85", "17/20").
    Raises ValueError for what is no finite number: None, booleans, NaN, infinities, other text, absurd exponents.
    """
    figure = measured(value)
    if figure is None:
        raise ValueError(f"{str(value)[:60]!r} is not a finite number.")
    return figure


def measured(value: object) -> Fraction | None:
    """The same for a figure that may be missing: None for whatever is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | Fraction | str):
        return None
    if isinstance(value, int | Fraction):
        return Fraction(value)
    written = float.__repr__(value) if isinstance(value, float) else str(value).strip()
    if "/" in written:
        return _ratio(written)
    try:
        figure = Decimal(written)
    except ArithmeticError:
        return None
    if not figure:
        return Fraction(0)
    if not figure.is_finite() or abs(figure.adjusted()) > _LARGEST_EXPONENT:
        return None
    return Fraction(figure)


def count(value: object) -> int | None:
    """A figure that counts something: a whole number of at least 0, else None."""
    figure = measured(value)
    if figure is None or figure < 0 or figure.denominator != 1:
        return None
    return figure.numerator


def share(value: object) -> Fraction | None:
    """A figure between 0 and 1, both included, else None."""
    figure = measured(value)
    return figure if figure is not None and 0 <= figure <= 1 else None


def shares(values: Iterable[object]) -> list[Fraction]:
    """The figures in [0, 1] among the values, in their order; the others count as not there."""
    return [figure for figure in map(share, values) if figure is not None]


def exact_mean(values: Sequence[Number]) -> Fraction:
    """The mean without rounding; ValueError for no values, or for one that is no finite number."""
    if not values:
        raise ValueError("The mean of no values is not defined.")
    return sum((exact(value) for value in values), Fraction(0)) / len(values)


def as_decimal(value: Fraction) -> Decimal:
    """The fraction as a decimal number, exact where it has one of at most 60 digits."""
    with localcontext() as context:
        context.prec = _DECIMAL_PLACES
        return Decimal(value.numerator) / Decimal(value.denominator)


def shown(value: Fraction, places: int = 4) -> str:
    """For sentences: the fraction with at most so many decimal places and no zeros at the end."""
    text = f"{as_decimal(value):.{places}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def wilson_interval(successes: Number, trials: int, confidence: Number = 0.95) -> tuple[float, float]:
    """(lower, upper) of the Wilson score interval for a proportion, within [0, 1].

    `successes` may be a sum of graded scores in [0, 1], for which the interval is conservative. No trials: (0.0, 1.0).
    With p = s/n and z the two-sided normal quantile of the confidence: D = 1 + z²/n, centre (p + z²/2n)/D,
    margin z·sqrt((p(1 − p) + z²/4n)/n)/D (E. B. Wilson, 1927). The bounds are the two solutions x of
    n(p − x)² = z²·x(1 − x), so that s = 0 gives exactly 0 below and s = n exactly 1 above.
    Raises ValueError unless 0 ≤ successes ≤ trials, trials is a whole number and 0 < confidence < 1.
    """
    n = count(trials)
    if n is None or not 0 < exact(confidence) < 1:
        raise ValueError("Trials are a whole number of at least 0, and the confidence lies between 0 and 1.")
    s = exact(successes)
    if not 0 <= s <= n:
        raise ValueError("Successes lie between 0 and the number of trials.")
    if n == 0:
        return 0.0, 1.0
    # The quantile of the lower tail keeps its digits where the confidence is close to 1.
    z = -NormalDist().inv_cdf(float((1 - exact(confidence)) / 2))
    p, z2 = float(s / n), z * z
    scale = 1 + z2 / n
    centre = (p + z2 / (2 * n)) / scale
    margin = z * math.sqrt((p * (1 - p) + z2 / (4 * n)) / n) / scale
    lower = 0.0 if s == 0 else max(0.0, centre - margin)
    upper = 1.0 if s == n else min(1.0, centre + margin)
    return lower, upper


def _ratio(written: str) -> Fraction | None:
    try:
        return Fraction(written) if len(written) <= _LARGEST_EXPONENT else None
    except (ValueError, ZeroDivisionError):
        return None
