"""A trained proxy whose loss is also given in bits per byte, the same unit for every tokenizer.

The loss is a mean in nats over the targets that are scored, so their bytes per target turn it into
bits per byte exactly: bits = loss / ln 2 / (bytes / targets).
"""

from collections.abc import Sequence
from dataclasses import replace
from math import log

from nasarena.proxies.data.text_data import ByteText
from nasarena.proxies.data.token_text import TokenText
from nasarena.proxies.trained import TrainedProxy
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.search.proxy import Split, TrialSeed
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Outcome


class BitsPerByteProxy(TrainedProxy):
    """The trained proxy of one corpus; `bits_per_byte` is among its metrics."""

    def __init__(
        self, name: str, space: PatternSpace, task: ByteText | TokenText, settings: TrainedSettings
    ) -> None:
        super().__init__(name, space, [task], settings)
        self._text = task

    def evaluate(
        self,
        patterns: Sequence[str],
        seeds: Sequence[TrialSeed],
        split: Split = "search",
        fidelities: Sequence[float] | None = None,
    ) -> list[Outcome]:
        """As `TrainedProxy.evaluate`."""
        outcomes = super().evaluate(patterns, seeds, split, fidelities)
        width = self._text.bytes_per_token(split, self.settings.train.num_eval)
        return [_with_bits(outcome, width) for outcome in outcomes]


def _with_bits(outcome: Outcome, bytes_per_token: float) -> Outcome:
    if outcome.status != "ok":
        return outcome
    bits = outcome.metrics["loss"] / log(2) / bytes_per_token
    return replace(outcome, metrics={**outcome.metrics, "bits_per_byte": bits})
