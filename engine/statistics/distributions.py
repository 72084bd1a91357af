"""The few functions of SciPy that the statistics use, typed: the one place that imports it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float64]
# One number or many at once: formulas are written once for both.
Numbers = float | Floats


def normal_tail(z: float) -> float:
    """The probability that a standard normal value lies above z."""
    return float(special.ndtr(-z))


def normal_tails(z: Floats) -> Floats:
    """The same for many values at once."""
    return np.asarray(special.ndtr(-z), dtype=np.float64)


def normal_quantile(probability: float) -> float:
    """The value that a standard normal exceeds with this probability."""
    return float(-special.ndtri(probability))


def student_tail(t: float, degrees: float) -> float:
    """The probability that Student's t with so many degrees of freedom lies above t."""
    return float(stats.t.sf(t, degrees))


def student_quantile(probability: float, degrees: float) -> float:
    """The value that Student's t exceeds with this probability."""
    return float(stats.t.isf(probability, degrees))


def chi_square_tail(statistic: float, degrees: int) -> float:
    """The probability that chi-square with so many degrees of freedom lies above the statistic."""
    return float(special.chdtrc(degrees, statistic))


def log_beta(a: Numbers, b: Numbers) -> Floats:
    """The logarithm of the beta function."""
    return np.asarray(special.betaln(a, b), dtype=np.float64)


def log_gamma(a: Numbers) -> Floats:
    """The logarithm of the gamma function."""
    return np.asarray(special.gammaln(a), dtype=np.float64)


def log_sum_exp(values: Floats) -> Floats:
    """log(sum(exp(values))) over the last axis, without overflow."""
    top = values.max(axis=-1)
    total: Floats = np.log(np.exp(values - top[..., None]).sum(axis=-1)) + top
    return total


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where the function changes its sign between low and high (Brent's method)."""
    return float(optimize.brentq(function, low, high, xtol=1e-12, rtol=1e-12, maxiter=200))
