"""PatternBench as a task of AgenticBBO: 16 categorical parameters, the loss to be minimized.

`nasarena_patternbench/` beside this file is what agents are told of it.
"""

import time
from pathlib import Path

from bbo.core.description import TaskDescriptionRef
from bbo.core.space import CategoricalParam, SearchSpace
from bbo.core.task import ObjectiveDirection, ObjectiveSpec, Task, TaskSpec
from bbo.core.trial import EvaluationResult, TrialStatus, TrialSuggestion

from nasarena.proxies.patternbench.benchmark import PatternBench, data_folder
from nasarena.search.proxy import TrialSeed
from nasarena.search.space import PatternSpace

DESCRIPTION = Path(__file__).parent / "nasarena_patternbench"


class PatternBenchTask(Task):
    """`seed` is one frozen noisy landscape; the same pattern has the same loss on it."""

    def __init__(self, landscape: str = "quick", seed: int = 0, max_evaluations: int = 100) -> None:
        space = PatternSpace("AMS", 16)
        name = f"patternbench-{landscape}"
        self._bench = PatternBench(name, space, data_folder(name))
        self._seed = TrialSeed(seed, 0)
        task_id = f"nasarena_patternbench_{landscape}"
        layers = [f"layer_{place:02d}" for place in range(space.depth)]
        letters = tuple(space.alphabet)
        self._spec = TaskSpec(
            name=task_id,
            search_space=SearchSpace(
                [CategoricalParam(name=layer, default="A", choices=letters) for layer in layers]
            ),
            objectives=(ObjectiveSpec("loss", ObjectiveDirection.MINIMIZE),),
            max_evaluations=max_evaluations,
            description_ref=TaskDescriptionRef.from_directory(task_id, DESCRIPTION),
            metadata={"lowest_true_loss": -self._bench.optimum()[1]},
        )

    @property
    def spec(self) -> TaskSpec:
        return self._spec

    def evaluate(self, suggestion: TrialSuggestion) -> EvaluationResult:
        """The noisy loss; what the training costs and the true loss are for the host alone."""
        start = time.perf_counter()
        config = self.spec.search_space.coerce_config(suggestion.config, use_defaults=False)
        pattern = "".join(config[name] for name in self.spec.search_space.names())
        (outcome,) = self._bench.evaluate([pattern], [self._seed])
        assert outcome.score is not None
        return EvaluationResult(
            status=TrialStatus.SUCCESS,
            objectives={"loss": -outcome.score},
            metrics={"flops": outcome.cost.flops},
            elapsed_seconds=time.perf_counter() - start,
        )

    def regret(self, config: dict[str, str]) -> float:
        """How far the true loss of a configuration is above the lowest, exact."""
        return self._bench.regret("".join(config[name] for name in self.spec.search_space.names()))
