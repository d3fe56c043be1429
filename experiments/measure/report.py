"""Is the report small and quick? 20 searchers x 10 seeds x 64 trials, half of them by talkers.

A talker is local search that says something about each proposal: a name, a hypothesis of 20 words,
the parent. The whole report with every figure is written, and opened in headless Chromium (extra
`test`); `ready_s` runs from navigation to the last filled table. `filter_ms` and `sort_ms` are the
medians of ten filters and sorts of all trials, to the next drawn frame. Without a browser only the
size is measured.

    python -m nasarena.experiments.measure.report [--save]
"""

import shutil
import tempfile
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path

import numpy as np

from nasarena.experiments.measure.record import record
from nasarena.figures.comparison import write_all
from nasarena.proxies.landscapes import additive
from nasarena.search.budget import Budget
from nasarena.search.loop import LoopSettings, run_to_end
from nasarena.search.run_folder import RunFolder
from nasarena.search.searcher import build_searcher, spec_of
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Proposal, Trial

NUM_SEARCHERS, NUM_SEEDS, NUM_TRIALS = 20, 10, 64
_WORDS = (
    "attention early late Mamba mixing recall MLP capacity between stack position because "
    "induction heads state decay copying deeper score improved block fewer more first last than"
).split()
_NUM_TIMINGS = 10
_TIMED = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const timed = async (act) => {
    const start = performance.now(); act(); await frame(); return performance.now() - start;
  };
  const input = document.querySelector("[name=pattern]");
  const heads = [...document.querySelectorAll("#trials thead button")];
  const filters = [], sorts = [];
  for (let n = 0; n < %d; n++) {
    filters.push(await timed(() => {
      input.value = n %% 2 ? "" : "AMS".slice(0, 1 + n / 2 %% 3);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }));
    sorts.push(await timed(() => heads[n %% heads.length].click()));
  }
  return [filters, sorts];
}"""


def measure() -> None:
    """Write, open, print, and keep if asked to."""
    with tempfile.TemporaryDirectory() as folder:
        write_runs(Path(folder))
        start_s = time.perf_counter()
        write_all(Path(folder), "python -m nasarena.experiments.measure.report")
        write_s = time.perf_counter() - start_s
        page = Path(folder) / "report.html"
        row = {"runs": NUM_SEARCHERS * NUM_SEEDS, "trials": NUM_TRIALS, "write_s": write_s}
        summary = {"megabytes": page.stat().st_size / 1e6, **time_page(page)}
    record("report", [row | summary], summary)


def write_runs(
    folder: Path,
    num_searchers: int = NUM_SEARCHERS,
    num_seeds: int = NUM_SEEDS,
    num_trials: int = NUM_TRIALS,
) -> None:
    """Finished runs of talkers and of random searchers, every other one."""
    space = PatternSpace("AMS", 16)
    proxy = additive(space)
    for number in range(num_searchers):
        target = _talker if number % 2 else _silent
        make = partial(build_searcher, spec_of(target), space)
        for seed in range(num_seeds):
            name = f"{target.__name__.strip('_')}-{number:02d}" if number else "random"
            settings = LoopSettings(seed, Budget("trials", num_trials))
            config = {
                "searcher": {"name": name, "options": {}, "uses_llm": target is _talker},
                "proxy": {"name": "additive", "version": proxy.version},
                "space": {"alphabet": space.alphabet, "depth": space.depth},
                "budget": {"unit": "trials", "amount": num_trials, "charge_llm": False},
                "loop": {"seed": seed, "initial_design": settings.initial_design},
            }
            with RunFolder(folder / name / f"seed-{seed}", config, {}) as run:
                run_to_end(run, make, proxy, settings)


def _silent(history: list[Trial], space: PatternSpace, rng: np.random.Generator) -> str:
    return space.sample(rng)


def _talker(space: PatternSpace, rng: np.random.Generator) -> Generator[Proposal, Trial, None]:
    """Changes one letter of the best of its own so far, and talks."""
    best: Trial | None = None
    while True:
        trial = yield Proposal(
            space.mutate(best.pattern, rng) if best else space.sample(rng),
            "llm",
            (best.index,) if best else (),
            {
                "name": _random_words(rng, 3),
                "hypothesis": _random_words(rng, 20),
                "expected": "better",
            },
        )
        if trial.score is not None and (best is None or trial.score > (best.score or 0.0)):
            best = trial


def _random_words(rng: np.random.Generator, num_words: int) -> str:
    return " ".join(rng.choice(_WORDS, num_words).tolist())


def time_page(file: Path) -> dict[str, float]:
    """How quick the page is; empty where there is no browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("no playwright here (extra `test`): only the size is measured")
        return {}
    with sync_playwright() as play:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]")
        ready_ms = float(page.evaluate("document.documentElement.dataset.ready"))
        filters, sorts = page.evaluate(_TIMED % _NUM_TIMINGS)
        browser.close()
    return {
        "ready_s": ready_ms / 1e3,
        "filter_ms": float(np.median(filters)),
        "sort_ms": float(np.median(sorts)),
    }


if __name__ == "__main__":
    measure()
