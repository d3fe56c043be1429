"""The logarithm of the expected improvement, finite however small the improvement is.

Jones et al. 1998, eq. 15, in the form of Ament et al. 2023, eq. 9: near 0 and above directly, below
through the scaled complementary error function, which does not underflow.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

Floats = NDArray[np.float64]
_DIRECT = -1.0  # deviations; from here on nothing cancels
_ASYMPTOTIC = -1e3  # below, so does what erfcx leaves, and the first term of a series is exact


def log_expected_improvement(mean_M: Floats, deviation_M: Floats, best: float) -> Floats:
    """Of normal values over `best`, shape `(M,)`; deviations must be positive."""
    improvement: Floats = np.log(deviation_M) + log_gain((mean_M - best) / deviation_M)
    return improvement


def log_gain(z: Floats) -> Floats:
    """log(phi(z) + z Phi(z)), of any shape; its error is below 1e-5."""
    high = np.maximum(z, _DIRECT)
    direct: Floats = np.log(np.exp(-(high**2) / 2) / np.sqrt(2 * np.pi) + high * ndtr(high))
    # phi + z Phi = phi (1 - |z| Phi / phi), where Phi / phi = sqrt(pi / 2) erfcx(|z| / sqrt(2)).
    low = np.clip(-z, -_DIRECT, -_ASYMPTOTIC)
    share = np.log1p(-low * np.sqrt(np.pi / 2) * erfcx(low / np.sqrt(2)))
    share = np.where(z < _ASYMPTOTIC, -2 * np.log(np.maximum(-z, 1.0)), share)
    below: Floats = -(z**2) / 2 - np.log(2 * np.pi) / 2 + share
    return np.where(z >= _DIRECT, direct, below)
