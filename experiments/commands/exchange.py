"""`nasarena export` and `nasarena import`: runs for other people's tools, and from them.

    nasarena export RUNS to=TOOL [out=PLACE]             every run below a folder
    nasarena export CHECKPOINT DIR [tokenizer=FILE]      a model trained at scale (saved_models.py)
    nasarena import STORAGE [study=NAME]                 an Optuna study as a run
    nasarena import FILE.tar.xz name=NAME                runs exported with to=replay

One word for runs and models, as both leave us by it; a model is told by the folder that it goes to.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

from nasarena.experiments.commands import saved_models
from nasarena.experiments.commands.figures import existing_folder
from nasarena.experiments.exchange.replay_file import SUFFIX, read_replay, write_replay
from nasarena.experiments.exchange.tracking import load_tracker, send_run
from nasarena.experiments.execution.provenance import command_line, provenance
from nasarena.experiments.settings.commands import export_settings, import_settings
from nasarena.experiments.settings.exchange_settings import ExportConfig
from nasarena.experiments.settings.registry import TOOLS, TRACKERS, refuse_missing_tool
from nasarena.search.errors import InvalidSetting, RunFolderRefused
from nasarena.search.run_folder import RunRecord, find_runs, read_run
from nasarena.search.untrusted.one_line import one_line

Write = Callable[[Iterable[RunRecord], Path], None]
# By tool; each is imported when it is asked for. What is told to Optuna is one file.
WRITERS = {
    "csv": "table_files:write_csv",
    "json": "table_files:write_json",
    "parquet": "table_files:write_parquet",
    "optuna": "optuna_storage:write_studies",
    "ioh": "ioh_files:write_ioh",
}


def export(arguments: Sequence[str]) -> int:
    """0; raises InvalidSetting for what cannot be exported."""
    words = [argument for argument in arguments if "=" not in argument]
    settings = [argument for argument in arguments if "=" in argument]
    if len(words) != 1 or any(setting.startswith("tokenizer=") for setting in settings):
        return saved_models.export(arguments)
    export_runs(existing_folder("export", words), export_settings(settings))
    return 0


def export_runs(folder: Path, config: ExportConfig) -> None:
    """Write every run below a folder for a tool, and say how many and where."""
    refuse_missing_tool(config.to, TOOLS[config.to])
    paths = find_runs(folder)
    if not paths:
        raise RunFolderRefused(f"{folder} holds no runs; give a folder that nasarena compare made")
    place: str | None
    if config.to == "replay":
        whole = folder.resolve()
        file = Path(config.out) if config.out else whole.with_name(f"{whole.name}{SUFFIX}")
        write_replay(_readable(paths), file, folder)
        place = f"{file}, {file.stat().st_size / 1e6:.1f} MB"
    elif config.to in TRACKERS:
        begin, place = load_tracker(config.to), config.out
        for record in _readable(paths):
            send_run(record, begin, place)
    else:
        target = Path(config.out) if config.out else folder / config.to
        if not (config.to == "optuna" and target.suffix):
            target.mkdir(parents=True, exist_ok=True)
        module, _, name = WRITERS[config.to].partition(":")
        write: Write = getattr(import_module(f"nasarena.experiments.exchange.{module}"), name)
        write(_readable(paths), target)
        place = str(target)
    print(f"{len(paths)} runs for {config.to}{f' in {place}' if place else ''}")


def _readable(paths: Sequence[Path]) -> Iterator[RunRecord]:
    """One record at a time; a damaged run is left out, with a line."""
    for path in paths:
        try:
            yield read_run(path)
        except RunFolderRefused as error:
            print(f"nasarena: left out: {one_line(error)}", file=sys.stderr)


def import_study(arguments: Sequence[str]) -> int:
    """Write the run and say where it is; 0. Raises InvalidSetting for what is no study of ours."""
    words = [argument for argument in arguments if "=" not in argument or "://" in argument]
    config = import_settings([argument for argument in arguments if argument not in words])
    if len(words) != 1:
        raise InvalidSetting(
            f"one Optuna storage is expected, a file or an address such as sqlite:///studies.db, "
            f"got {' '.join(words) or 'none'}"
        )
    if words[0].endswith(SUFFIX):
        target = Path(config.folder) / config.name
        count = read_replay(Path(words[0]), target)
        print(f"{count} runs in {target}; python -m nasarena.experiments.release.replay {target}")
        return 0
    refuse_missing_tool("optuna", TOOLS["optuna"])
    from nasarena.experiments.exchange.optuna_study import load_study, write_run

    study = load_study(words[0], config.study)
    made_here = provenance(command_line(["import", *arguments]))
    print(write_run(study, config, made_here | {"imported_from": study.study_name}))
    return 0
