"""PatternBench as a proxy: a comparison on it takes seconds, and every regret in it is exact.

A pattern that was trained with the asked run seed answers with that very training. Every other
answer is the true score (`truth.py`) plus the offset of the run seed plus noise of the pattern's
own spread, frozen per (run seed, pattern, replicate, split). The note and the metric `trainings`
say what stands behind a score. It is charged what the training costs.
"""

import hashlib
import time
from collections.abc import Sequence
from functools import cached_property, lru_cache
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasarena.proxies.patternbench.held_out import surrogate_facts
from nasarena.proxies.patternbench.landscape_facts import LandscapeFacts, read_facts
from nasarena.proxies.patternbench.network import DEPTH, LETTERS
from nasarena.proxies.patternbench.rows import Row, read_rows
from nasarena.proxies.patternbench.surrogate import NUM_NOISE_FEATURES, Surrogate
from nasarena.proxies.patternbench.truth import WHOLE, Truth
from nasarena.search.errors import InvalidSetting, ProxyFailed
from nasarena.search.hashes import code_hash, config_hash
from nasarena.search.proxy import Abilities, Direction, KnownProxy, Split, TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.settings import settings
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome

LANDSCAPES = Path(__file__).parent / "landscapes"
DATA = LANDSCAPES / "quick"
ROWS, SURROGATE = "rows.csv.xz", "surrogate.npz"


def data_folder(name: str) -> Path:
    """Where the files of `patternbench-NAME` lie; `patternbench` alone is `patternbench-quick`."""
    return LANDSCAPES / (name.partition("-")[2] or DATA.name)


class PatternBench(KnownProxy):
    """A known proxy for any space of 16 letters from A, M and S.

    `noise` scales the spread of everything that was not trained with the asked seed; 0 answers
    with the true score always. Raises InvalidSetting for other spaces.
    """

    metric = "loss"
    direction: Direction = "min"
    score_range = (-inf, inf)  # a surrogate's bound is nobody's promise

    def __init__(
        self, name: str, space: PatternSpace, data: Path = DATA, noise: float = 1.0
    ) -> None:
        _check(space)
        self.name, self.space, self.noise, self._data = name, space, noise, data
        files, self._surrogate, self.header, self._rows = _load(data)
        self.abilities = Abilities(
            stands_for=str(self.header["proxy"]),
            overrides=tuple(map(str, self.header.get("overrides", ()))),  # type: ignore[call-overload]
        )
        alphabet = {"alphabet": space.alphabet, "depth": space.depth}
        described = {"patternbench": files, "code": code_hash(__name__)}
        self.version = config_hash({**described, **alphabet, "noise": noise})
        self.files = files
        self.truth = Truth(self._surrogate, self._rows, space, config_hash(described))
        self._trained = {
            (pattern, row.seed): row for pattern, rows in self._rows.items() for row in rows
        }

    def cost(self, pattern: str) -> Cost:
        """What training `pattern` took on the machine that the sample was trained on."""
        return self._surrogate.costs.cost(pattern)

    def evaluate(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], split: Split = "search"
    ) -> list[Outcome]:
        """The training on record, or the true score with frozen noise; see the module."""
        return [self._outcome(p, seed, split) for p, seed in zip(patterns, seeds, strict=True)]

    def true_score(self, pattern: str) -> float:
        """The score without noise. Raises InvalidPattern for what is not in the space."""
        return self.truth.score(self.space.validate(pattern))

    def true_scores(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """True scores of patterns given as ranks in the space; any shape."""
        return self.truth.scores(indices)

    def all_scores(self) -> NDArray[np.float32]:
        """True scores of the whole space in the order of ranks, memory-mapped from the cache."""
        return self.truth.all_scores

    @cached_property
    def facts(self) -> LandscapeFacts | None:
        """What the fit worked out once about the whole space; None for another space."""
        return read_facts(self._data, self.files) if self.space == WHOLE else None

    def optimum(self) -> tuple[str, float]:
        """The best pattern of the benchmark and its true score, exact."""
        return (self.facts.optimum, self.facts.best) if self.facts else self.truth.optimum

    def regret(self, pattern: str) -> float:
        """How far the true score of `pattern` is below the optimum, exact; 0 or more."""
        return self.optimum()[1] - self.true_score(pattern)

    def percentile(self, pattern: str) -> float:
        """Percent of the space whose true score is not higher, exact; the optimum has 100."""
        return self.truth.percentile(self.space.validate(pattern))

    def ranks(self, patterns: Sequence[str]) -> list[int]:
        """1 + the number of patterns of the space with a higher true score, exact; 1 is best."""
        return self.truth.ranks([self.space.validate(pattern) for pattern in patterns])

    def difficulty(self, num_trials: float) -> dict[str, Any] | None:
        """As `LandscapeFacts`, with the regret of random search under this many trials."""
        facts = self.facts
        if facts is None:
            return None
        return {
            "noise": facts.noise,
            "share_within_noise": facts.share_within_noise,
            "icc": facts.icc,
            "elite_icc": facts.elite_icc,
            "elite_patterns": facts.elite_patterns,
            "elite_seeds": facts.elite_seeds,
            "orders": facts.orders,
            "orders_agreeing": facts.orders_agreeing,
            "random_regret": facts.regret_of_random(num_trials),
        }

    def surrogate_facts(self) -> dict[str, Any]:
        """How good the surrogate is, as plain values; raises ProxyFailed without its report."""
        return surrogate_facts(self._data, self._surrogate, self._rows)

    def spread(self, pattern: str) -> float:
        """Standard deviation of one training of `pattern`, as the noise model says."""
        return self._surrogate.noise.spread(pattern, self.true_score(pattern))

    def num_trainings(self, pattern: str) -> int:
        """How many real trainings of `pattern` are on record; 0: a surrogate's score."""
        return sum(row.score is not None for row in self._rows.get(pattern, ()))

    def _outcome(self, pattern: str, seed: TrialSeed, split: Split) -> Outcome:
        start = time.perf_counter()
        cost = self.cost(pattern)
        is_plain = self.noise > 0 and split == "search" and seed.replicate == 0
        row = self._trained.get((pattern, seed.run)) if is_plain else None
        if row is not None and row.score is None:
            return Outcome("failed", None, cost, note=row.note or "the recorded training failed")
        num_trainings = self.num_trainings(pattern)
        if row is not None:
            score, note = float(row.score or 0.0), "measured: trained with this very seed"
        else:
            score = self._noisy_score(pattern, seed, split)
            note = "measured mean, modelled noise" if num_trainings else "surrogate"
        metrics = {self.metric: -score, "trainings": float(num_trainings)}
        return Outcome("ok", score, cost, metrics, time.perf_counter() - start, note)

    def _noisy_score(self, pattern: str, seed: TrialSeed, split: Split) -> float:
        """The true score with the noise of a training that nobody made."""
        true = self.truth.score(pattern)
        if self.noise == 0:
            return true
        rng = stream(seed.run, "patternbench noise", pattern, seed.replicate, split)
        spread = self._surrogate.noise.spread(pattern, true)
        drawn = self._offset(seed.run) + spread * rng.standard_normal()
        return true + self.noise * float(drawn)

    def _offset(self, run: int) -> float:
        noise = self._surrogate.noise
        if run < len(noise.offsets):
            return float(noise.offsets[run])
        rng = stream(run, "patternbench offset")
        return noise.offset_spread * float(rng.standard_normal())


@settings
class PatternBenchSettings:
    """Real trainings on record, and a surrogate for the other patterns."""

    noise: float = Field(
        1.0, ge=0, description="factor on the modelled noise; 0: always the true score"
    )
    data: str | None = Field(
        None,
        description="folder of another sample that experiments.patternbench.fit wrote; null: the "
        "shipped one of this name",
    )

    def build(self, space: PatternSpace, name: str) -> PatternBench:
        """The benchmark. Raises InvalidSetting for a space that it does not know."""
        data = Path(self.data).expanduser() if self.data else data_folder(name)
        return PatternBench(name, space, data, self.noise)


def _check(space: PatternSpace) -> None:
    if space.depth != DEPTH or not set(space.alphabet) <= set(LETTERS):
        raise InvalidSetting(
            f"patternbench knows patterns of {DEPTH} letters from {LETTERS}, got {space.depth} "
            f"letters from {space.alphabet}; take space=AMS or space=AM, or proxy=quick"
        )


@lru_cache(maxsize=4)
def _load(
    data: Path,
) -> tuple[str, Surrogate, dict[str, object], dict[str, tuple[Row, ...]]]:
    """Hash of the files, surrogate, header of the rows, and the rows by pattern; read once."""
    header, rows = read_rows(data / ROWS)
    surrogate = Surrogate.load(data / SURROGATE)
    if len(surrogate.noise.log_variance) not in NUM_NOISE_FEATURES:
        raise ProxyFailed(
            f"{data / SURROGATE} holds the noise of another version; mend it with "
            f"python -m nasarena.experiments.patternbench.fit only=noise data={data}"
        )
    digest = hashlib.sha256()
    for name in (ROWS, SURROGATE):
        digest.update((data / name).read_bytes())
    by_pattern: dict[str, list[Row]] = {}
    for row in rows:
        by_pattern.setdefault(row.pattern, []).append(row)
    return (
        digest.hexdigest()[:16],
        surrogate,
        header,
        {pattern: tuple(found) for pattern, found in by_pattern.items()},
    )
