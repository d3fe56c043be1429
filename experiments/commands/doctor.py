"""`nasarena doctor`: what this machine can do for a comparison, and what it lacks."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server import vllm_python
from nasarena.agents.scribe.card import MODEL_DIR
from nasarena.experiments.comparison.model_needs import model_findings
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.provenance import commit, hardware, version_of
from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import cache_folder, num_cores

NEEDED = ("torch", "numpy", "scipy", "pandas", "seaborn", "hydra-core", "rich", "jinja2")
OPTIONAL = {
    "optuna": "searchers tpe, tpe-pruned and gp-optuna",
    "nevergrad": "searcher nevergrad",
    "botorch": "searchers botorch and composer",
    "smac": "searcher smac",
    "transformers": "training the embedded agent anew",
    "datasets": "text corpora by their Hugging Face names",
    "triton": "compiled kernels on a GPU",
    "mamba-ssm": "Mamba kernels on a GPU",
}
EXTRAS = dict.fromkeys(("optuna", "nevergrad", "botorch", "smac"), "'nasarena[optimizers]'")
_LOW_GIB = 2.0


def doctor(arguments: Sequence[str]) -> int:
    """0 where everything that a comparison needs is there, else 1.

    With `escapes=true` or `escapes=LEVEL`: 0 where every attempt to leave a sandbox was held.
    """
    if arguments:
        return _escapes(arguments)
    table = Table(box=None, show_header=False)
    healthy = True
    for name, text, is_fine in _findings():
        mark = {True: "[green]ok[/green]", False: "[red]missing[/red]", None: ""}[is_fine]
        table.add_row(name, escape(text), mark)
        healthy &= is_fine is not False
    make_console().print(table)
    return 0 if healthy else 1


def _escapes(arguments: Sequence[str]) -> int:
    from nasarena.proxies.sandbox.escapes import try_escapes
    from nasarena.proxies.sandbox.levels import choose_level

    name, _, value = arguments[0].partition("=")
    if len(arguments) > 1 or name != "escapes" or value in ("", "false"):
        words = "takes no arguments but escapes=true or escapes=LEVEL"
        raise InvalidSetting(f"nasarena doctor {words}, got {' '.join(arguments)!r}")
    level = choose_level(None if value == "true" else value)
    table = Table(box=None, show_header=False)
    held = try_escapes(level)
    for attempt, is_held in held.items():
        mark = "[green]held[/green]" if is_held else "[red]not held on this machine[/red]"
        table.add_row(escape(attempt), mark)
    console = make_console()
    console.print(table)
    console.print(f"level {level}: {sum(held.values())} of {len(held)} attempts held")
    return 0 if all(held.values()) else 1


Finding = tuple[str, str, bool | None]  # what, in words, and whether it is fine (None: either way)


def _findings() -> Iterator[Finding]:
    machine = hardware()
    yield "nasarena", f"{version_of('nasarena')}, commit {commit() or 'unknown (a wheel)'}", None
    yield "processor", f"{machine['processor']} ({machine['machine']})", None
    yield "cores", f"{num_cores()} usable; a comparison runs so many workers at once", True
    yield "memory", f"{machine['memory_gib']} GiB", None
    yield from _torch()
    for package in NEEDED[1:]:
        found = version_of(package)
        yield package, found or f"not installed: pip install {package}", found is not None
    for package, use in OPTIONAL.items():
        found = version_of(package)
        missing = f"not installed: pip install {EXTRAS.get(package, package)}"
        yield package, f"{found or missing} ({use})", True if found else None
    yield from _models()
    yield from _sandbox()
    yield from _disk()


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except ImportError:
        yield "torch", "not installed: trained proxies need it", False
        return
    yield "torch", f"{torch.__version__}, {torch.get_num_threads()} threads by itself", True
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(index).total_memory / 2**30
            yield f"cuda:{index}", f"{torch.cuda.get_device_name(index)}, {memory:.0f} GiB", True
    else:
        yield "GPU", "none that torch can use; proxies train on the CPU", None
    yield from _choice()


def _choice() -> Iterator[Finding]:
    """What `proxy.device=auto` and `proxy.precision=auto` come to here."""
    from nasarena.proxies.training.devices import choose_device, choose_population, kernels

    device = choose_device("auto")
    found = kernels(device)
    population = choose_population(0, device)
    yield "proxies train", f"on {device} in {found.precision}, {population} at most together", None
    layers = f"attention: {found.attention}; scan: {found.scan}"
    words = found.attention if found.attention == found.scan else layers
    yield "their kernels", f"{words}; step: {found.step}", None


def _models() -> Iterator[Finding]:
    """What can answer the agents here."""
    there = (MODEL_DIR / "model.safetensors").exists()
    words = "its weights are here" if there else "no weights: make train-scribe"
    yield "embedded agent", f"{words} (llm=scribe)", True if there else None
    yield from model_findings()
    try:
        python = Path(vllm_python())
    except VllmFailed as error:
        yield "vLLM", str(error), None
        return
    recipe = python.parent.parent / "recipe"
    version = recipe.read_text().strip() if recipe.exists() else "of unknown version"
    yield "vLLM", f"{version}, in {python.parent.parent} (llm=vllm, nasarena serve)", True


def _sandbox() -> Iterator[Finding]:
    """Which fences for programs of others there are."""
    from nasarena.proxies.sandbox.levels import choose_level, why_missing
    from nasarena.proxies.sandbox.limits import LEVELS

    for level in LEVELS[:-1]:  # a container is what you say it is
        missing = why_missing(level)
        chosen = "; a program gets this one" if level == choose_level() else ""
        yield f"sandbox {level}", f"{missing or 'there'}{chosen}", None if missing else True
    yield from _gpu_in_sandbox()


def _gpu_in_sandbox() -> Iterator[Finding]:
    """Whether CUDA starts behind the fence, which a driver may refuse though it starts outside."""
    import torch

    from nasarena.proxies.sandbox.runner import Sandbox

    if not torch.cuda.is_available():
        return
    probe = "import torch; torch.zeros(1, device='cuda').add_(1).item()"
    with Sandbox((sys.executable, "-I", "-c", probe), has_gpu=True) as sandbox:
        sandbox.output.read()
        sandbox.wait(time.monotonic() + sandbox.spec.limits.wall_s)
        works = sandbox.ending.is_clean
    lines = sandbox.errors.strip().splitlines()
    yield "GPU in a sandbox", "works" if works else (lines or ["no answer"])[-1], works or None


def _disk() -> Iterator[Finding]:
    cache = cache_folder()
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    chosen = "NASARENA_CACHE" if os.environ.get("NASARENA_CACHE") else "by default"
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    writable = os.access(existing, os.W_OK)
    words = "" if writable else "; it cannot be written, set NASARENA_CACHE"
    yield "cache", f"{cache} ({chosen}), {size / 2**20:.1f} MiB{words}", writable
    for name, folder in {"disk of the cache": existing, "disk here": Path.cwd()}.items():
        free = shutil.disk_usage(folder).free / 2**30
        yield name, f"{free:.1f} GiB free", free >= _LOW_GIB
