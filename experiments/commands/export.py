"""`nasarena export`: runs for other people's tools, or a model trained at scale.

    nasarena export RUNS to=TOOL [out=PLACE]             every run below a folder
    nasarena export CHECKPOINT DIR [tokenizer=FILE]      (saved_models.py)

One word for both, as both leave us by it; a model is told by the folder that it is written to.
"""

from collections.abc import Sequence
from pathlib import Path

from nasarena.experiments.commands import saved_models
from nasarena.experiments.commands.figures import existing_folder
from nasarena.experiments.exchange.tracking import load_tracker, send_run
from nasarena.experiments.settings.commands import export_settings
from nasarena.experiments.settings.exchange_settings import ExportConfig
from nasarena.experiments.settings.registry import TOOLS, refuse_missing_tool
from nasarena.search.errors import RunFolderRefused
from nasarena.search.run_folder import find_runs, read_run


def export(arguments: Sequence[str]) -> int:
    """0; raises InvalidSetting for what cannot be exported."""
    words = [argument for argument in arguments if "=" not in argument]
    settings = [argument for argument in arguments if "=" in argument]
    if len(words) != 1 or any(setting.startswith("tokenizer=") for setting in settings):
        return saved_models.export(arguments)
    export_runs(existing_folder("export", words), export_settings(settings))
    return 0


def export_runs(folder: Path, config: ExportConfig) -> None:
    """Write every run below a folder for a tool, one after the other, and say where it is."""
    refuse_missing_tool(config.to, TOOLS[config.to])
    paths = find_runs(folder)
    if not paths:
        raise RunFolderRefused(f"{folder} holds no runs; give a folder that nasarena compare made")
    begin = load_tracker(config.to)
    for path in paths:
        send_run(read_run(path), begin, config.out)
    print(f"{len(paths)} runs are in {config.to}{f', {config.out}' if config.out else ''}")
