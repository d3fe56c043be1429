"""Scripts as a proxy: a candidate's score is minus the bits per byte that its training reaches.

A candidate is a list of edits of the given script, or a whole script. The seed of a training is
that of the run, the candidate and the replicate; which windows are scored is that of the run.
"""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from nasarena.proxies.autoresearch import catalogue, verdict
from nasarena.proxies.autoresearch.catalogue import TEMPLATE, render
from nasarena.proxies.autoresearch.settings import ScriptSettings
from nasarena.proxies.autoresearch.verdict import (
    ForkTask,
    ForkVerdict,
    draw_windows,
    judge_in_forks,
)
from nasarena.proxies.data.corpus import Corpus, load_corpus
from nasarena.proxies.data.shipped_text import ShippedText, shipped_files
from nasarena.proxies.programs.judge import judge
from nasarena.proxies.programs.script_task import ScriptTask, Verdict
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.hashes import code_hash, config_hash
from nasarena.search.proxy import Abilities, Direction, Proxy, Split, TrialSeed
from nasarena.search.seeding import stream_seed
from nasarena.search.trial import Cost, Outcome

_MIN_BYTES = 50_000


class ScriptProxy(Proxy):
    """Trains scripts, one after the other."""

    # Any: it is no space of patterns, which is all that `Proxy` names.
    space: Any

    def __init__(self, name: str, space: Any, settings: ScriptSettings) -> None:
        if settings.isolation == "fork" and not isinstance(space, EditSpace):
            raise InvalidSetting("programs are run in a sandbox: give proxy.isolation=sandbox")
        self.name, self.space, self.settings = name, space, settings
        self.metric, self.score_range = "bits_per_byte", (-float("inf"), 0.0)
        self.direction: Direction = "min"
        self.abilities = Abilities(trains=True, population=1)
        self._corpus = _corpus(settings.text)
        described = {
            "settings": asdict(settings),
            "text": self._corpus.fingerprint,
            "script": config_hash({"template": TEMPLATE.read_text()}),
            "code": code_hash(*self._modules()),
        }
        self.version = config_hash(described)

    def cost(self, pattern: str) -> Cost:
        """The time that a training is given, whatever the script makes of it."""
        is_seconds = self.settings.clock != "steps"
        return Cost(device_seconds=self.settings.amount if is_seconds else 0.0)

    def source(self, candidate: str) -> str:
        """The script of a candidate."""
        return render(candidate) if isinstance(self.space, EditSpace) else candidate

    def evaluate(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], split: Split = "search"
    ) -> list[Outcome]:
        """As `Proxy.evaluate`."""
        return [self._one(*each, split) for each in zip(patterns, seeds, strict=True)]

    def _modules(self) -> list[str]:
        """Those whose code decides a score; in forks the sandbox does not."""
        whole = self.settings.isolation == "sandbox"
        return [__name__ if whole else verdict.__name__, catalogue.__name__]

    def _one(self, candidate: str, seed: TrialSeed, split: Split) -> Outcome:
        name = self.space.identity(candidate)
        # Torch takes seeds of 63 bits.
        torch_seed = stream_seed(seed.run, "script", name, seed.replicate)
        run = self._in_forks if self.settings.isolation == "fork" else self._in_sandbox
        found = run(self.source(candidate), torch_seed, seed.run, split)
        cost = self.cost(candidate)
        return Outcome(found.status, found.score, cost, found.metrics, found.seconds, found.note)

    def _in_forks(self, source: str, seed: int, run: int, split: Split) -> ForkVerdict:
        settings, text = self.settings, self._corpus.splits[split]
        windows = draw_windows(text, settings.windows, settings.length, run, split)
        train = self._corpus.splits["train"]
        return judge_in_forks(
            source, ForkTask(train, windows, settings.clock, settings.amount), seed
        )

    def _in_sandbox(self, source: str, seed: int, run: int, split: Split) -> Verdict:
        settings, corpus = self.settings, self._corpus.splits
        is_steps = settings.clock == "steps"
        task = ScriptTask(
            f"{self.name} {split} {run}",
            corpus["train"],
            corpus[split],
            length=settings.length,
            seconds=60.0 if is_steps else settings.amount,
            steps=int(settings.amount) if is_steps else None,
            num_windows=settings.windows,
        )
        return judge(source, task, seed)


@cache
def _corpus(text: ShippedText) -> Corpus:
    return load_corpus(shipped_files(text), _MIN_BYTES, f"the shipped {text}")
