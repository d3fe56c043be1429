"""Encoders as a proxy: a candidate's score is the accuracy of what its training reaches.

Searchers see the validation split, `search`; the test split, `held_out`, is asked about by the
harness alone, for finalists and for whoever takes a winner apart.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nasarena.proxies.lra import catalogue, programs, tasks
from nasarena.proxies.lra.catalogue import ENCODER, FRAME, MORE_PARAMETERS, frame, render
from nasarena.proxies.lra.programs import frame_of, framework_of, label_task
from nasarena.proxies.lra.settings import EncoderSettings
from nasarena.proxies.lra.tasks import SIZES, load_data
from nasarena.proxies.programs import fork_trial
from nasarena.proxies.programs.fork_trial import (
    VOCAB_SIZE,
    ForkTask,
    ForkVerdict,
    Measure,
    judge_in_forks,
    load_script,
)
from nasarena.proxies.programs.program_proxy import CHILDREN, ProgramProxy
from nasarena.proxies.programs.script_task import Verdict
from nasarena.proxies.programs.smoke_run import judge_after_smoke
from nasarena.search.candidates.edit_space import DEFAULT, EditSpace
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.hashes import code_hash, config_hash
from nasarena.search.proxy import Direction, Split

_COMPILE_S = 120.0  # in which a program of JAX may compile, for free; it has no data then


class EncoderProxy(ProgramProxy):
    """Trains encoders on one task."""

    def __init__(self, name: str, space: Any, settings: EncoderSettings) -> None:
        known = isinstance(space, EditSpace | ProgramSpace)
        own = f"{name} {settings.variant}"
        if not known or space.task not in (own, f"{own} flax"):
            raise InvalidSetting(f"{name} scores lists of edits of its own catalogue, or programs")
        self._is_code = isinstance(space, ProgramSpace)
        if self._is_code and settings.clock == "modelled":
            raise InvalidSetting(
                "programs run in a sandbox, where clock is wall or steps: give one"
            )
        size = SIZES[name, settings.size]
        self.amount = settings.amount or (size.steps if settings.clock == "steps" else size.amount)
        super().__init__(name, space, settings.clock, self.amount)
        self.settings, self._size = settings, size
        self.metric, self.score_range = "accuracy", (0.0, 1.0)
        self.direction: Direction = "max"
        self.data = load_data(name, settings.size, settings.data)
        described = {
            "task": name,
            "settings": {**asdict(settings), "data": None, "amount": self.amount},
            "data": self.data.fingerprint,
            "script": config_hash({"files": [file.read_text() for file in self._files()]}),
            "code": code_hash(*self._modules()),
        }
        self.version = config_hash(described)

    def _files(self) -> list[Path]:
        if self._is_code and framework_of(self.space) == "flax":
            return [programs.FLAX_ENCODER, programs.FLAX_FRAME]
        return [ENCODER, FRAME]

    def _modules(self) -> list[str]:
        """Those whose code decides a score."""
        if self._is_code:
            return [__name__, programs.__name__, *CHILDREN]
        return [fork_trial.__name__, catalogue.__name__, tasks.__name__]

    @cached_property
    def max_parameters(self) -> int | None:
        """What a model of the variant `fixed` may have."""
        if self.settings.variant == "configurable":
            return None
        script = load_script(self._script(DEFAULT))
        model: torch.nn.Module = script["build_model"](VOCAB_SIZE, self._size.length)
        return int(MORE_PARAMETERS * sum(one.numel() for one in model.parameters()))

    def source(self, candidate: str) -> str:
        """The script of a candidate: its encoder, and the task's part; a program as it is."""
        return candidate if self._is_code else self._script(candidate)

    def _script(self, candidate: str) -> str:
        variant, size = self.settings.variant, self.settings.size
        return frame(render(candidate, self.name, variant, size), self.name, variant, size)

    def judge(self, candidate: str, seed: int, run: int, split: Split) -> ForkVerdict | Verdict:
        """As `ProgramProxy.judge`."""
        judge_one = self._in_sandbox if self._is_code else self._in_forks
        return judge_one(self.source(candidate), seed, split)

    def _in_forks(self, source: str, seed: int, split: Split) -> ForkVerdict:
        examples, size = self.data.splits[split], self._size
        task = ForkTask(
            self.data.splits["train"].rows(),
            examples.inputs,
            (size.num_classes,),
            measure_accuracy(examples.labels),
            self.settings.clock,
            self.amount,
            size.length,
            self.max_parameters,
        )
        return judge_in_forks(source, task, seed)

    def _in_sandbox(self, source: str, seed: int, split: Split) -> Verdict:
        settings, size, is_steps = self.settings, self._size, self.settings.clock == "steps"
        framework = framework_of(self.space)
        frame = frame_of(self.name, settings.variant, settings.size, framework)
        task = label_task(self.name, self.data, split, frame, size.length, size.num_classes)
        task = replace(
            task,
            seconds=60.0 + self.amount if is_steps else self.amount,
            steps=int(self.amount) if is_steps else None,
            most_numbers=self.max_parameters,
            framework=framework,
            warmup_seconds=_COMPILE_S if framework == "flax" else task.warmup_seconds,
        )
        return judge_after_smoke(source, task, seed)


def measure_accuracy(labels: NDArray[np.uint8]) -> Measure:
    """The share of examples whose highest logit is that of their label, and the loss in nats."""

    def measure(logits: NDArray[np.float32]) -> tuple[float, Mapping[str, float]]:
        accuracy = float((logits.argmax(axis=-1) == labels).mean())
        targets = torch.from_numpy(labels.astype(np.int64))
        loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits).double(), targets)
        return accuracy, {"accuracy": accuracy, "loss": float(loss)}

    return measure
