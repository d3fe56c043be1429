"""What several test files share: small comparisons, written by the real loop into real folders."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server import read_address, vllm_python
from nasarena.agents.llm.tiny_model import make_tiny_model
from nasarena.search.budget import Budget
from nasarena.search.cache_folder import cache_folder
from nasarena.search.errors import SearcherFailed
from nasarena.search.loop import LoopSettings, run_to_end
from nasarena.search.proxy import Direction, Split, TrialSeed
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import Searcher
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome, Proposal, Trial

# vLLM inspects each kind of model once, for 20 s, and keeps what it found.
QUICK_START = {"OMP_NUM_THREADS": "1", "VLLM_CACHE_ROOT": str(cache_folder() / "vllm")}
REFERENCES = {"striped": "AMSAMS", "all attention": "AAAAAA"}


def pytest_configure() -> None:
    """One thread, before anything imports torch: on two busy cores threads mostly wait.

    Kernels are compiled once, though tests have caches of their own. And Ctrl-C works: a shell that
    runs the suite in the background has commands ignore it.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("NASARENA_KERNELS", str(cache_folder() / "native"))
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the vLLM server comes first: it takes longest."""
    items.sort(key=lambda item: not of_server(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file is tested in one process, for its fixtures; so are all files that share the server."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "server" if of_server(nodeid) else nodeid.partition("::")[0]

    return ByFile(config, log)


def of_server(nodeid: str) -> bool:
    return Path(nodeid.partition("::")[0]).name.startswith("test_llm_")


class LetterProxy:
    """Score: share of letters that agree with a hidden pattern, plus frozen noise.

    Patterns that end with SS diverge; with `fails` set, all do.
    """

    name, metric, version = "letters", "accuracy", "7"
    direction: Direction = "max"
    score_range = (-1.0, 2.0)

    def __init__(self, space: PatternSpace, noise: float = 0.05, fails: bool = False) -> None:
        self.space, self._noise, self._fails = space, noise, fails
        self._best = space.sample(stream(0, "hidden pattern"))

    def cost(self, pattern: str) -> Cost:
        return Cost(flops=1000 + 100 * pattern.count("A"), tokens=64, device_seconds=0.25)

    def evaluate(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], split: Split = "search"
    ) -> list[Outcome]:
        return [self._outcome(p, s, split) for p, s in zip(patterns, seeds, strict=True)]

    def _outcome(self, pattern: str, seed: TrialSeed, split: Split) -> Outcome:
        cost = self.cost(pattern)
        if self._fails or pattern.endswith("SS"):
            return Outcome("failed", None, cost, note="loss became nan at step 3", measured_s=0.1)
        agreeing = np.mean([a == b for a, b in zip(pattern, self._best, strict=True)])
        noise = stream(seed.run, pattern, seed.replicate, split).normal(scale=self._noise)
        score = float(agreeing + noise)
        return Outcome("ok", score, cost, {"accuracy": score}, measured_s=0.2)


class Mutating:
    """Changes one letter of the best so far with probability `greed`, else samples."""

    def __init__(self, space: PatternSpace, rng: np.random.Generator, greed: float) -> None:
        self._space, self._rng, self._greed = space, rng, greed
        self._best: Trial | None = None

    def ask(self, n: int) -> list[str]:
        if self._best is None or self._rng.random() >= self._greed:
            return [self._space.sample(self._rng)]
        return [self._space.mutate(self._best.pattern, self._rng)]

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            if trial.score is not None and trial.score >= (
                -1.0 if self._best is None else self._best.score or 0.0
            ):
                self._best = trial


class Listing:
    """Asks a fixed list of named patterns and stops."""

    def __init__(self, patterns: dict[str, str]) -> None:
        self._left = [Proposal(text, details={"name": name}) for name, text in patterns.items()]

    def ask(self, n: int) -> list[Proposal]:
        asked, self._left = self._left[:n], self._left[n:]
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        pass


class Raising:
    """Breaks down at its first ask."""

    def ask(self, n: int) -> list[str]:
        raise RuntimeError("out of ideas")

    def tell(self, trials: Sequence[Trial]) -> None:
        pass


def write_run(
    folder: Path,
    searcher: str,
    seed: int,
    *,
    greed: float = 0.0,
    amount: float = 12,
    unit: str = "trials",
    space: PatternSpace | None = None,
    fails: bool = False,
    raises: bool = False,
    references: dict[str, str] | None = None,
    patterns: Sequence[str] | None = None,
    version: str = "7",
    top_k: int = 2,
    replicates: int = 1,
    options: dict[str, Any] | None = None,
    budget_aware: bool = False,
) -> Path:
    """One run of the real loop in `folder`/<searcher>/seed-<seed>."""
    space = space or PatternSpace("AMS", 6)
    proxy = LetterProxy(space, fails=fails)
    if references:
        amount, unit = len(references), "trials"
    budget = Budget(unit, amount)  # type: ignore[arg-type]
    settings = LoopSettings(
        seed,
        budget,
        initial_design=0 if references else 4,
        top_k=len(references or ()) or top_k,
        final_replicates=replicates,
    )
    config = {
        "searcher": {"name": searcher, "options": options or {}, "budget_aware": budget_aware},
        "proxy": {"name": proxy.name, "metric": proxy.metric, "version": version},
        "space": {"alphabet": space.alphabet, "depth": space.depth},
        "budget": {"unit": unit, "amount": amount, "charge_llm": False},
        "loop": {"seed": seed, "initial_design": settings.initial_design, "top_k": settings.top_k},
    }

    def make(rng: np.random.Generator) -> Searcher:
        if references or patterns:
            return Listing(references or {pattern: pattern for pattern in patterns or ()})
        return Raising() if raises else Mutating(space, rng, greed)

    path = folder / searcher / f"seed-{seed}"
    with RunFolder(path, config, {"commit": "abc1234", "packages": {"numpy": "2"}}) as run:
        try:
            run_to_end(run, make, proxy, settings)
        except SearcherFailed:
            pass
    return path


GREEDS = {"random": 0.0, "climber": 0.9, "halfway": 0.5}


def write_comparison(
    folder: Path, searchers: dict[str, float] = GREEDS, seeds: int = 4, **options: Any
) -> Path:
    """Every searcher (name: greed) on every seed, and the reference patterns."""
    for seed in range(seeds):
        for name, greed in searchers.items():
            write_run(folder, name, seed, greed=greed, **options)
        write_run(folder, "references", seed, references=REFERENCES)
    return folder


@pytest.fixture
def add_run() -> Callable[..., Path]:
    return write_run


@pytest.fixture
def add_comparison() -> Callable[..., Path]:
    return write_comparison


@pytest.fixture(scope="session")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 searchers x 4 seeds x 12 trials with references; to be read only."""
    return write_comparison(tmp_path_factory.mktemp("runs") / "small")


@pytest.fixture(scope="session")
def check_proxy() -> Callable[..., None]:
    """The contract that every proxy passes; `tests/proxy_contract.py` says how to use it."""
    path = Path(__file__).parent / "proxy_contract.py"
    spec = importlib.util.spec_from_file_location("proxy_contract", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    check: Callable[..., None] = module.check_proxy
    return check


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights, as a folder; skips, saying why, where vLLM is not installed."""
    try:
        vllm_python()
    except VllmFailed as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("model") / "tiny"
    make_tiny_model(folder)
    return folder


def start_nasarena(*arguments: str | Path, cwd: Path) -> "subprocess.Popen[str]":
    """A command in a process group of its own."""
    code = "from nasarena.experiments.commands.cli import main; raise SystemExit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **QUICK_START, "NASARENA_CACHE": str(cwd / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="session")
def start_command() -> Callable[..., "subprocess.Popen[str]"]:
    return start_nasarena


@pytest.fixture(scope="session")
def server_url(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real vLLM server, started by `nasarena serve` and stopped by SIGTERM."""
    folder = tmp_path_factory.mktemp("serve")
    serve = start_nasarena("serve", tiny_model, "port=0", "folder=.", cwd=folder)
    try:
        while (url := read_address(folder)) is None:
            assert serve.poll() is None, serve.communicate()
            time.sleep(0.1)
        yield url
        assert serve.poll() is None, serve.communicate()
    finally:
        serve.send_signal(signal.SIGTERM)
        said, errors = serve.communicate(timeout=60)
    assert (serve.returncode, errors) == (0, "")
    assert f"{url} is up" in said and "stopping vLLM" in said
    assert read_address(folder) is None and vllm_processes(tiny_model, url) == []


def vllm_processes(model: Path, url: str = "") -> list[int]:
    """Process ids of API servers with this model, and with the port of this address."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        is_server = "vllm.entrypoints.openai.api_server" in words and str(model) in words
        if is_server and "nasarena.agents.llm.server_watchdog" not in words:
            if not url or url.rpartition(":")[2].removesuffix("/v1") in words:
                found.append(int(file.parent.name))
    return found


@pytest.fixture(scope="session")
def find_servers() -> Callable[..., list[int]]:
    return vllm_processes
