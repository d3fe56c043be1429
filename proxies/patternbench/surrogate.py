"""The shipped surrogate: a mean and a spread for every pattern, and what a training costs.

    training of a pattern with run seed k  ~  mean(pattern) + offset(k) + spread(pattern) * normal

`offset` belongs to the run seed, whose data all patterns share; `spread` follows from composition,
number of runs and mean. One `.npz` file of plain arrays, made by
`nasarena.experiments.patternbench.fit`.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.proxies.patternbench.network import LETTERS, WindowNetwork
from nasarena.search.errors import ProxyFailed
from nasarena.search.trial import Cost

NUM_NOISE_FEATURES = (5, 6)  # without and with a slope of its own among the best
KNEE = 0.7  # standing that one in 20 of the patterns repeated whatever they scored reaches


@dataclass(frozen=True, slots=True)
class Noise:
    """`log_variance` weighs `noise_features`; `discrepancy` is the surrogate's own error (sd).

    `offsets` are those of the run seeds that were trained with, `offset_spread` that of any other.
    `highest` is the standing above which the noise stays what it is there: no line is drawn beyond
    its points.
    """

    log_variance: NDArray[np.float64]
    mean_centre: float
    mean_scale: float
    offsets: NDArray[np.float64]
    offset_spread: float
    discrepancy: float
    highest: float = KNEE

    def spread(self, pattern: str, mean: float) -> float:
        """Standard deviation between trainings of one pattern and run seed."""
        standing = (mean - self.mean_centre) / self.mean_scale
        features = noise_features(pattern, min(standing, self.highest))
        return float(np.exp(0.5 * (features[: len(self.log_variance)] @ self.log_variance)))

    def shrinkage(self, pattern: str, mean: float, num_trainings: int) -> float:
        """How far the mean of trainings is believed against the surrogate, 0 to 1."""
        error = self.spread(pattern, mean) ** 2 / num_trainings
        return self.discrepancy**2 / (self.discrepancy**2 + error)


def noise_features(pattern: str, standing: float) -> NDArray[np.float64]:
    """What a spread depends on, `(6,)`; `standing` is the mean, standardised over the sample.

    The last two are the standing up to the knee and beyond it: where losses come near 0, their
    noise among the best falls much faster than elsewhere.
    """
    depth = len(pattern)
    shares = [pattern.count(letter) / depth for letter in LETTERS[:2]]
    changes = sum(a != b for a, b in zip(pattern, pattern[1:], strict=False)) / max(1, depth - 1)
    return np.array([1.0, *shares, changes, min(standing, KNEE), max(standing - KNEE, 0.0)])


@dataclass(frozen=True, slots=True)
class Costs:
    """What one training takes: a base and a term per letter, as the trained proxy counts them."""

    flops_base: int
    flops: tuple[int, int, int]
    tokens: int
    seconds_base: float
    seconds: tuple[float, float, float]

    def cost(self, pattern: str) -> Cost:
        """Equal to the trained proxy's on the machine that the sample was trained on."""
        counts = [pattern.count(letter) for letter in LETTERS]
        flops = self.flops_base + sum(map(int.__mul__, counts, self.flops))
        pairs = zip(counts, self.seconds, strict=True)
        return Cost(flops, self.tokens, self.seconds_base + sum(n * s for n, s in pairs))


@dataclass(frozen=True, slots=True)
class Surrogate:
    """Everything that PatternBench knows beyond its rows."""

    network: WindowNetwork
    noise: Noise
    costs: Costs

    def save(self, path: Path) -> None:
        """Write the file; the same surrogate gives the same arrays."""
        network = self.network
        np.savez_compressed(
            path,
            allow_pickle=False,
            tables=network.tables,
            signs=network.signs,
            intercept=np.int64(network.intercept),
            grid=np.float64(network.grid),
            **_arrays("noise", self.noise),
            **_arrays("cost", self.costs),
        )

    @classmethod
    def load(cls, path: Path) -> "Surrogate":
        """Read what `save` wrote. Raises ProxyFailed for anything else."""
        try:
            with np.load(path, allow_pickle=False) as file:
                values = {name: file[name] for name in file.files}
            network = WindowNetwork(
                values["tables"],
                values["signs"],
                int(values["intercept"]),
                float(values["grid"]),
            )
            return cls(network, Noise(**_values("noise", values)), Costs(**_values("cost", values)))
        except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
            raise ProxyFailed(
                f"{path} must be a surrogate that `make patternbench` wrote; "
                f"reading it failed ({' '.join(str(error).split())})"
            ) from error


def _arrays(prefix: str, record: Any) -> dict[str, Any]:
    return {
        f"{prefix}_{field.name}": np.asarray(getattr(record, field.name))
        for field in fields(record)
    }


def _values(prefix: str, values: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Numbers as Python has them, longer arrays as numpy does, cost terms as tuples."""
    found: dict[str, Any] = {}
    for name, array in values.items():
        if name.startswith(f"{prefix}_"):
            is_tuple = prefix == "cost" and array.ndim == 1
            plain = tuple(array.tolist()) if is_tuple else array if array.ndim else array.item()
            found[name.removeprefix(f"{prefix}_")] = plain
    return found
