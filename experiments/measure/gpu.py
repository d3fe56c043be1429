"""Everything that only a GPU can show, in one command: `make gpu-check`, under 9 minutes.

Parity of losses and gradients with the CPU in float32, scores alone and within populations, speed
against the baseline at MAD's sizes, the cost of a trial as the population grows, steps captured and
not, memory against its model, and a comparison of two searchers on `mad`. A part that fails is
recorded with its reason and the others go on. Not run on a GPU yet.

    python -m nasarena.experiments.measure.gpu [--save] [--device=cuda]
"""

import logging
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from logging.handlers import BufferingHandler
from math import exp, log
from statistics import fmean, median
from typing import Any

import torch

from nasarena.experiments.execution.peaks import copy_bandwidth, matmul_flops, synchronize
from nasarena.experiments.measure import memory
from nasarena.experiments.measure.engine.timed_trainings import proxy_of, random_patterns
from nasarena.experiments.measure.engine.transformers_baseline import baseline_seconds
from nasarena.experiments.measure.record import record
from nasarena.experiments.measure.throughput import FIXED, shares_of_peaks
from nasarena.proxies.models.population import Population
from nasarena.proxies.trained import TrainedProxy
from nasarena.proxies.training.train_step import CapturedStep
from nasarena.search.proxy import TrialSeed

Part = Callable[[str], dict[str, Any]]

QUICK = ("proxy=quick", "proxy.train.steps=10", "proxy.train.num_eval=32")
MAD = (
    "proxy=mad", "proxy.data.tasks=[in-context-recall]", "proxy.train.num_train=0",
    "proxy.train.steps=20", "proxy.train.num_eval=64",
)  # fmt: skip
SEARCH = ("proxy.train.steps=20", "proxy.train.num_train=0", "proxy.train.num_eval=64")
NUM_REPEATS = 3


def parity(device: str, settings: Sequence[str] = MAD) -> dict[str, Any]:
    """Loss and gradients of each layer kind: largest error against the CPU in float32, relative to
    the largest entry; `bfloat16` is that of the losses alone under autocast."""
    proxy, found = proxy_of((*settings, "proxy.device=cpu")), {}
    for pattern in ("A" * 4, "M" * 4, "S" * 4, "AMSS"):
        (loss, gradient), (own_loss, own_gradient) = (
            _loss_and_gradient(proxy, pattern, torch.device(where)) for where in ("cpu", device)
        )
        error = (own_gradient.cpu() - gradient).abs().max() / gradient.abs().max()
        found[f"{pattern}_gradient"] = float(error)
        found[f"{pattern}_loss"] = abs(own_loss / loss - 1)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            coarse, _ = _loss_and_gradient(proxy, pattern, torch.device(device))
        found[f"{pattern}_bfloat16"] = abs(coarse / loss - 1)
    return found


def _loss_and_gradient(
    proxy: TrainedProxy, pattern: str, device: torch.device
) -> tuple[float, torch.Tensor]:
    task = proxy.tasks[0]
    batch = task.sample(0, "train", 4)
    weights = torch.Generator().manual_seed(0)
    models = Population(
        [pattern], [weights], proxy.settings.model, task.vocab_size, task.length, task.head, device
    )
    inputs, targets = (
        torch.from_numpy(part)[None].to(device) for part in (batch.inputs, batch.targets)
    )
    logits = models.logits(inputs).float()
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 2), targets.flatten(), ignore_index=-100
    )
    parts = torch.autograd.grad(loss, models.leaves)
    return float(loss.detach()), torch.cat([part.flatten() for part in parts])


def invariance(
    device: str, settings: Sequence[str] = QUICK, sizes: Sequence[int] = (2, 7, 64)
) -> dict[str, Any]:
    """How far the score of a pattern moves within populations of these sizes."""
    proxy = proxy_of((*settings, f"proxy.device={device}", "proxy.population=64"))
    watched = ["A" * 16, "M" * 16, "S" * 16, "AMS" * 5 + "A"]
    alone = [proxy.evaluate([pattern], [TrialSeed(1)])[0].score or 0.0 for pattern in watched]
    moved = {}
    for size in sizes:
        others = random_patterns(size - 1)
        outcomes = [
            proxy.evaluate([*others, pattern], [TrialSeed(2)] * (size - 1) + [TrialSeed(1)])[-1]
            for pattern in watched
        ]
        pairs = zip(outcomes, alone, strict=True)
        moved[f"population_of_{size}"] = max(abs((o.score or 0.0) - own) for o, own in pairs)
    return moved


def throughput(device: str, settings: Sequence[str] = MAD) -> dict[str, Any]:
    """Seconds per trial at MAD's sizes against the baseline's, interleaved, and the shares of what
    the device can do at most, in one population as large as the engine chooses. Kernels are warmed
    up first."""
    proxy = proxy_of((*settings, f"proxy.device={device}"))
    own = torch.device(device)
    peaks = matmul_flops(own, torch.bfloat16), copy_bandwidth(own)
    kinds = {**{name: [text] for name, text in FIXED.items()}, "8 random": random_patterns(8)}
    found: dict[str, Any] = {}
    shares = []
    for name, patterns in kinds.items():
        ours, baselines = [], []
        size = proxy.num_together(_members(patterns, proxy.settings.population))
        found[f"{name} population"] = size
        for number in range(NUM_REPEATS + 1):
            ours.append(_our_seconds(proxy, patterns, size))
            baselines.append(_baseline_seconds(proxy, patterns[number % len(patterns)], device))
        ours_s = median(ours[1:])
        found[name] = median(baselines[1:]) / ours_s
        shares.append(shares_of_peaks(proxy, patterns, ours_s, peaks))
    ratios = [found[name] for name in FIXED] + [found["8 random"]] * 8
    peak_share, bandwidth_share = (median(each) for each in zip(*shares, strict=True))
    return found | {
        "geomean_ratio": exp(fmean(map(log, ratios))),
        "least": min(ratios),
        "peak_share": peak_share,
        "bandwidth_share": bandwidth_share,
        "peak_gflops": peaks[0] / 1e9,
    }


def scaling(
    device: str, settings: Sequence[str] = MAD, sizes: Sequence[int] = (1, 4, 16, 64)
) -> dict[str, Any]:
    """Seconds per trial of random patterns in populations of these sizes, or of what fits; what a
    population costs once is in it. Kernels are warmed up first."""
    proxy = proxy_of((*settings, f"proxy.device={device}", f"proxy.population={max(sizes)}"))
    patterns, found = random_patterns(max(sizes)), {}
    for wanted in sizes:
        size = proxy.num_together(patterns[:wanted])
        repeats = [_our_seconds(proxy, patterns, size) for _ in range(NUM_REPEATS + 1)]
        found[f"population_of_{size}_s"] = median(repeats[1:])
    return found


def _our_seconds(proxy: TrainedProxy, patterns: Sequence[str], size: int) -> float:
    device = torch.device(proxy.settings.device)
    start = time.perf_counter()
    proxy.evaluate(_members(patterns, size), [TrialSeed(i) for i in range(size)])
    synchronize(device)
    return (time.perf_counter() - start) / size


def _members(patterns: Sequence[str], size: int) -> list[str]:
    return [patterns[i % len(patterns)] for i in range(size)]


def _baseline_seconds(proxy: TrainedProxy, pattern: str, device: str) -> float:
    training = proxy.task_trainings[0]
    return baseline_seconds(
        pattern, training.model, training.task, training.settings, torch.device(device)
    )


def launches(device: str, settings: Sequence[str] = MAD) -> dict[str, Any]:
    """Seconds of a training step launched kernel by kernel over those of a captured one, and how
    far the scores differ. The steps are few, so the capture weighs more than in a real training.
    Raises RuntimeError where a step was not captured, or a training failed."""
    said = BufferingHandler(1000)
    logging.getLogger(CapturedStep.__module__).addHandler(said)
    patterns, seeds = random_patterns(8), [TrialSeed(0)] * 8
    seconds: dict[str, list[float]] = {"eager": [], "graph": []}
    scores = {}
    proxies = {kind: proxy_of((*settings, f"proxy.device={device}", f"proxy.step={kind}"))
               for kind in seconds}  # fmt: skip
    for _ in range(NUM_REPEATS + 1):
        for kind, proxy in proxies.items():
            start = time.perf_counter()
            outcomes = proxy.evaluate(patterns, seeds)
            seconds[kind].append(time.perf_counter() - start)
            scores[kind] = [one.score for one in outcomes if one.score is not None]
    if said.buffer:
        raise RuntimeError(said.buffer[0].getMessage())
    moved = max(abs(one - other) for one, other in zip(*scores.values(), strict=True))
    ratio = median(seconds["eager"][1:]) / median(seconds["graph"][1:])
    return {"eager_over_graph": ratio, "largest_move": moved}


def memory_model(device: str) -> dict[str, Any]:
    """Predicted over measured peaks."""
    return memory.measure_memory(memory.CASES, device)[1]


def comparison(device: str, settings: Sequence[str] = SEARCH) -> dict[str, Any]:
    """Two searchers on `mad`, shortened; what the command took, or its last words."""
    code = "from nasarena.experiments.commands.cli import main; raise SystemExit(main())"
    words = [
        "compare", "proxy=mad", f"proxy.device={device}", "searchers=[random,evolution]",
        "seeds=1", "budget.patterns=8", "references=false", "workers=1", "cache=false", *settings,
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True
        )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return {"wall_s": time.perf_counter() - start}


PARTS: dict[str, Part] = {
    "parity": parity,
    "invariance": invariance,
    "throughput": throughput,
    "scaling": scaling,
    "launches": launches,
    "memory": memory_model,
    "comparison": comparison,
}


def run_parts(device: str, parts: dict[str, Part] = PARTS) -> list[dict[str, Any]]:
    """A row for each part: what it found, or why it failed."""
    rows = []
    for name, part in parts.items():
        start = time.perf_counter()
        try:
            row = {"part": name, "failed": "", **part(device)}
        except Exception as error:  # the other parts are worth their time on the device
            row = {"part": name, "failed": f"{type(error).__name__}: {error}".splitlines()[0]}
        rows.append(row | {"took_s": time.perf_counter() - start})
        print(rows[-1], flush=True)
    return rows


def main() -> int:
    """Check all of it; 1 where a part failed, 2 without the device."""
    options = dict(word[2:].split("=") for word in sys.argv[1:] if word.startswith("--device="))
    device = options.get("device", "cuda")
    if device.startswith("cuda") and not torch.cuda.is_available():
        print(
            f"nasarena: gpu-check needs a GPU, torch {torch.__version__} finds none here; "
            "see nasarena doctor",
            file=sys.stderr,
        )
        return 2
    rows = run_parts(device)
    failed = [row["part"] for row in rows if row["failed"]]
    title = torch.cuda.get_device_name() if device.startswith("cuda") else device
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    record("gpu", rows, {"failed": failed}, device=name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
