"""Thompson sampling with a Bayesian linear model of a sequence's letters, as an Optuna sampler."""

from collections.abc import Mapping

from optuna.distributions import BaseDistribution

from nasarena.experiments.exchange.optuna_sampler import SearcherSampler

__all__ = ["NgramThompsonSampler"]


class NgramThompsonSampler(SearcherSampler):
    """For categorical parameters with the same choices, whose order matters.

    Args:
        search_space: what is sampled from the first trial on; by default it is inferred.
        seed: of the random numbers.
        num_startup: random trials before the model decides.
        trigrams: also model triples of neighbours.
        temperature: of the posterior's spread; 1 samples it, 0 takes its mean.
    """

    def __init__(
        self,
        search_space: Mapping[str, BaseDistribution] | None = None,
        *,
        seed: int | None = None,
        num_startup: int = 20,
        trigrams: bool = True,
        temperature: float = 0.3,
    ) -> None:
        options = {"num_startup": num_startup, "trigrams": trigrams, "temperature": temperature}
        super().__init__("ngram-thompson", options, search_space=search_space, seed=seed)
