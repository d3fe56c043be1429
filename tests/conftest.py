"""What several test files share: small comparisons, written by the real loop into real folders."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fakes import Climbing, FakeProxy, Raising, agreement, run_search
from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server import read_address, vllm_python
from nasarena.agents.llm.tiny_model import make_tiny_model
from nasarena.search.budget import Unit
from nasarena.search.errors import SearcherFailed
from nasarena.search.machine import cache_folder
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Proposal

# vLLM inspects each kind of model once, for 20 s, and keeps what it found.
QUICK_START = {"OMP_NUM_THREADS": "1", "VLLM_CACHE_ROOT": str(cache_folder() / "vllm")}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
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


def write_run(
    folder: Path,
    searcher: str,
    seed: int,
    *,
    greed: float = 0.0,
    amount: float = 12,
    unit: Unit = "trials",
    space: PatternSpace | None = None,
    fails: bool = False,
    raises: bool = False,
    references: dict[str, str] | None = None,
    patterns: Sequence[str] | None = None,
    version: str = "7",
    finalists: int = 2,
    replicates: int = 1,
    options: dict[str, Any] | None = None,
    budget_aware: bool = False,
) -> Path:
    """One run of the real loop in `folder`/<searcher>/seed-<seed>.

    Patterns that end with SS diverge; with `fails`, all do.
    """
    space = space or PatternSpace("AMS", 6)
    proxy = FakeProxy(
        space,
        agreement(space.sample(stream(0, "hidden pattern")), noise=0.05),
        fails="" if fails else "SS$",
        cost=lambda p: Cost(flops=1000 + 100 * p.count("A"), tokens=64, device_seconds=0.25),
    )
    if references:
        amount, unit, finalists = len(references), "trials", len(references)
    initial_design = 0 if references else 4
    config = {
        "searcher": {"name": searcher, "options": options or {}, "budget_aware": budget_aware},
        "proxy": {"name": proxy.name, "metric": proxy.metric, "version": version},
        "space": {"alphabet": space.alphabet, "depth": space.depth},
        "budget": {"unit": unit, "amount": amount, "charge_llm": False},
        "loop": {"seed": seed, "initial_design": initial_design, "finalists": finalists},
    }
    named = references or {pattern: pattern for pattern in patterns or ()}
    asks = [Proposal(pattern, details={"name": name}) for name, pattern in named.items()]
    path = folder / searcher / f"seed-{seed}"
    with suppress(SearcherFailed):
        run_search(
            path,
            asks or (Raising if raises else Climbing),
            proxy,
            amount=amount,
            unit=unit,
            seed=seed,
            options=None if asks or raises else {"greed": greed},
            config=config,
            initial_design=initial_design,
            finalists=finalists,
            final_replicates=replicates,
        )
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
def browser() -> Iterator[Any]:
    """Headless Chromium: the one of playwright, else one that is installed."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="the page is tested in a browser: pip install playwright"
    )
    paths = [None, *filter(None, map(shutil.which, BROWSERS))]
    with sync_api.sync_playwright() as play:
        for path in paths:
            try:
                found = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
            except sync_api.Error:
                continue
            yield found
            found.close()
            return
    pytest.skip("no Chromium to test the page in: `playwright install chromium`, or the system's")


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
