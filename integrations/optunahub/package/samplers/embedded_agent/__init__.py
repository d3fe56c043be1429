"""A small language model that proposes the next layer pattern, in process, as an Optuna sampler."""

from collections.abc import Mapping

from optuna.distributions import BaseDistribution

from nasarena.agents.scribe.local import ScribeClient
from nasarena.experiments.exchange.optuna_sampler import SearcherSampler

__all__ = ["EmbeddedAgentSampler"]


class EmbeddedAgentSampler(SearcherSampler):
    """For categorical parameters whose choices are letters among A, M and S.

    All other parameters are drawn at random. The model has 1.1 million weights and needs no server,
    no key and no GPU.

    Args:
        search_space: what is sampled from the first trial on; by default it is inferred.
        seed: of the random numbers.
    """

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            "agent-sequential",
            {"prompt": "compact"},
            search_space=search_space,
            seed=seed,
            alphabet="AMS",
            llm=ScribeClient,
        )
