"""Commands that use a model trained at scale.

    nasarena export CHECKPOINT DIR [tokenizer=FILE]      a checkpoint for transformers and vLLM
    nasarena downstream CHECKPOINT [key=value ...]       what it can do
    nasarena inference CHECKPOINT... [key=value ...]     what using it costs

A checkpoint is a file, or the folder of a cell: then the weights of its largest finished budget.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nasarena.experiments.execution.console import make_console, progress_bar
from nasarena.experiments.execution.provenance import command_line, provenance
from nasarena.experiments.settings.commands import downstream_settings, inference_settings
from nasarena.search.errors import InvalidSetting, UnknownSetting
from nasarena.search.untrusted.drafts import replace_text

if TYPE_CHECKING:
    from nasarena.experiments.scaling.saved_cell import SavedCell


def export(arguments: Sequence[str]) -> int:
    """0; raises InvalidSetting for what cannot be exported."""
    words, _ = _split(arguments)
    settings = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    for name in settings:
        if name != "tokenizer":
            raise UnknownSetting(name, ["tokenizer"])
    if len(words) != 2:
        raise InvalidSetting(
            f"a checkpoint (or the folder of a cell) and a folder to write are expected, got "
            f"{' '.join(words) or 'nothing'}"
        )
    # With torch: not before the arguments are right.
    from nasarena.experiments.scaling.saved_cell import open_saved_cell
    from nasarena.proxies.scaled.nemotron_export import export_model

    saved, folder = open_saved_cell(words[0], settings.get("tokenizer")), Path(words[1])
    model = saved.model
    export_model(model, saved.checkpoint, folder, saved.tokenizer)
    print(f"{model.num_parameters:,} parameters of {model.pattern} in {folder}")
    return 0


def downstream(arguments: Sequence[str]) -> int:
    """Write downstream.json and print it; returns 0."""
    words, settings = _split(arguments)
    config = downstream_settings(settings)
    if len(words) != 1:
        raise InvalidSetting(
            f"one checkpoint (or the folder of a cell) is expected, got {' '.join(words) or 'none'}"
        )
    from nasarena.experiments.scaling import downstream as tasks
    from nasarena.experiments.scaling.held_out import held_out_rows
    from nasarena.experiments.scaling.likelihood import score_requests
    from nasarena.experiments.scaling.saved_cell import open_saved_cell

    saved = open_saved_cell(words[0], config.tokenizer, config.device)
    questions = tasks.read_tasks(config)
    held_out = held_out_rows(saved, config.text, config.length)
    requests = [answer for own in questions.values() for one in own for answer in one.answers]
    console = make_console()
    with progress_bar(console) as progress:
        bar = progress.add_task("answers", total=len(requests))
        likelihoods = score_requests(
            saved.model, saved.encode, requests, config.max_length,
            lambda done: progress.advance(bar, done),
        )  # fmt: skip
    results = tasks.judge_tasks(questions, likelihoods)
    content = {
        "model": saved.facts,
        "held_out": held_out,
        "tasks": tasks.as_json(results),
        "conclusion": tasks.conclusion(results),
        "provenance": provenance(command_line(["downstream", *arguments])),
    }
    file = _out(config.out, saved) / "downstream.json"
    replace_text(file, json.dumps(content, indent=1) + "\n")
    console.print(tasks.held_out_table(held_out), tasks.results_table(results))
    console.print(tasks.conclusion(results), f"[bold]{file}[/bold]", sep="\n", soft_wrap=True)
    return 0


def inference(arguments: Sequence[str]) -> int:
    """Write inference.csv and the figure, print the table; returns 0."""
    words, settings = _split(arguments)
    config = inference_settings(settings)
    if not words:
        raise InvalidSetting("at least one checkpoint (or folder of a cell) is expected, got none")
    from nasarena.experiments.scaling.saved_cell import open_saved_cell
    from nasarena.experiments.scaling.use_report import UseRow, draw, show, table, use_rows

    saved = [open_saved_cell(word, None, config.device) for word in words]
    console = make_console()
    rows: list[UseRow] = []
    with progress_bar(console) as progress:
        total = len(saved) * len(config.contexts) * (config.repeats + 1)
        bar = progress.add_task("measurements", total=total)
        for one in saved:
            rows += use_rows(one, config, lambda: progress.advance(bar))
    folder = _out(config.out, saved[0])
    source = command_line(["inference", *arguments])
    replace_text(folder / "inference.csv", table(rows).to_csv(index=False, lineterminator="\n"))
    console.print(show(rows))
    console.print(f"[bold]{folder / 'inference.csv'}[/bold]", soft_wrap=True)
    if len(saved) > 1:
        draw(rows, folder, source)
    return 0


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words, and settings."""
    words = [argument for argument in arguments if "=" not in argument]
    return words, [argument for argument in arguments if "=" in argument]


def _out(named: str | None, saved: "SavedCell") -> Path:
    folder = saved.file.parent if named is None else Path(named)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
