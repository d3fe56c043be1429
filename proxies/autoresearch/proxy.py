"""Scripts as a proxy: a candidate's score is minus the bits per byte that its training reaches.

A candidate is a list of edits of the given script, or a whole script; which windows are scored
depends on the run.
"""

from dataclasses import asdict
from functools import cache
from typing import Any

from nasarena.proxies.autoresearch import catalogue, verdict
from nasarena.proxies.autoresearch.catalogue import TEMPLATE, render
from nasarena.proxies.autoresearch.settings import ScriptSettings
from nasarena.proxies.autoresearch.verdict import draw_windows, next_byte_task
from nasarena.proxies.data.corpus import Corpus, load_corpus
from nasarena.proxies.data.shipped_text import ShippedText, shipped_files
from nasarena.proxies.programs import fork_trial
from nasarena.proxies.programs.fork_trial import ForkVerdict, judge_in_forks
from nasarena.proxies.programs.program_proxy import CHILDREN, ProgramProxy
from nasarena.proxies.programs.script_task import ScriptTask, Verdict
from nasarena.proxies.programs.smoke_run import judge_after_smoke
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.errors import InvalidSetting
from nasarena.search.hashes import code_hash, config_hash
from nasarena.search.proxy import Direction, Split

_MIN_BYTES = 50_000


class ScriptProxy(ProgramProxy):
    """Trains scripts."""

    def __init__(self, name: str, space: Any, settings: ScriptSettings) -> None:
        if settings.isolation == "fork" and not isinstance(space, EditSpace):
            raise InvalidSetting("programs are run in a sandbox: give proxy.isolation=sandbox")
        super().__init__(name, space, settings.clock, settings.amount)
        self.settings = settings
        self.metric, self.score_range = "bits_per_byte", (-float("inf"), 0.0)
        self.direction: Direction = "min"
        self._corpus = _corpus(settings.text)
        described = {
            "settings": asdict(settings),
            "text": self._corpus.fingerprint,
            "script": config_hash({"template": TEMPLATE.read_text()}),
            "code": code_hash(*self._modules()),
        }
        self.version = config_hash(described)

    def source(self, candidate: str) -> str:
        """The script of a candidate."""
        return render(candidate) if isinstance(self.space, EditSpace) else candidate

    def judge(self, candidate: str, seed: int, run: int, split: Split) -> ForkVerdict | Verdict:
        """As `ProgramProxy.judge`."""
        judge_one = self._in_forks if self.settings.isolation == "fork" else self._in_sandbox
        return judge_one(self.source(candidate), seed, run, split)

    def _modules(self) -> list[str]:
        """Those whose code decides a score; in forks the sandbox does not."""
        whole = self.settings.isolation == "sandbox"
        judges = [__name__, *CHILDREN] if whole else [verdict.__name__, fork_trial.__name__]
        return [*judges, catalogue.__name__]

    def _in_forks(self, source: str, seed: int, run: int, split: Split) -> ForkVerdict:
        settings, text = self.settings, self._corpus.splits[split]
        windows = draw_windows(text, settings.windows, settings.length, run, split)
        train = self._corpus.splits["train"]
        task = next_byte_task(train, windows, settings.clock, settings.amount)
        return judge_in_forks(source, task, seed)

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
        return judge_after_smoke(source, task, seed)


@cache
def _corpus(text: ShippedText) -> Corpus:
    return load_corpus(shipped_files(text), _MIN_BYTES, f"the shipped {text}")
