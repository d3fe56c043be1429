"""`nasarena audit`: how far a proxy can be trusted, before a comparison is built on it.

Random patterns, each trained on several seeds: how much of a score is the pattern, how much the
seed. Then, axis by axis (audit_axes.py), the same patterns where one thing is changed: do their
ranks hold, and how much worse is what the proxy would have picked. `audits/<name>/` gets the scores
of all trainings, the table, the figure, the report and a record of the kind of
docs/measurements/.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from nasarena.experiments.audit.axes import Level, levels, tasks_to_compare
from nasarena.experiments.audit.trainings import rows, task_rows, train_levels
from nasarena.experiments.commands.anchors import audit_anchors
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.provenance import command_line, provenance
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.audit_settings import AuditConfig
from nasarena.experiments.settings.choices import ProxyConfig
from nasarena.experiments.settings.commands import audit_settings
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.search.hashes import config_hash
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

if TYPE_CHECKING:
    from nasarena.figures.audit.findings import Findings


def audit(arguments: Sequence[str]) -> int:
    """0 where the proxy passes, 1 where its ICC is below the threshold."""
    config = audit_settings(arguments)
    if config.anchors is not None:
        return audit_anchors(config, command_line(["audit", *arguments]))
    patterns = sample_patterns(config.space, config.patterns, config.first_seed)
    proxy = build_proxy(config.proxy, config.space, config.cache)
    tasks, asked = tasks_to_compare(config, proxy), levels(config, patterns)
    for level in asked:  # what cannot be built is refused here, before anything is trained
        build_proxy(level.proxy, level.space, config.cache)
    console = make_console()
    outcomes = train_levels(asked, config.cache, config.workers, console)
    found_rows = rows(asked, outcomes) + task_rows(asked[0], outcomes[0], proxy, tasks)
    return report_findings(found_rows, config, asked, command_line(["audit", *arguments]), console)


def sample_patterns(space: PatternSpace, count: int, seed: int) -> list[str]:
    """Distinct random patterns; the first of them are the same however many are asked for."""
    return space.sample_distinct(count, stream(seed, "audit"))


def report_findings(
    found_rows: Sequence[dict[str, Any]],
    config: AuditConfig,
    asked: Sequence[Level],
    command: str,
    console: Console,
) -> int:
    """Write everything, print the table and the verdict; the exit code."""
    import pandas as pd

    from nasarena.figures.audit import page as figure
    from nasarena.figures.audit.findings import findings
    from nasarena.figures.audit.report import markdown, passes, table, verdict
    from nasarena.figures.plots.figure_files import Source, save_figure

    scores = pd.DataFrame(found_rows).astype({"score": float})
    found = findings(scores, config.picks, config.gaps, config.trainings)
    sentences = verdict(found, config.threshold)
    folder, name = Path(config.folder) / (config.name or config.proxy.name), config.proxy.name
    folder.mkdir(parents=True, exist_ok=True)
    scores.to_csv(folder / "scores.csv", index=False)
    table(found).to_csv(folder / "table.csv", index=False)
    origin = provenance(command)
    source = {key: str(origin[key]) for key in ("command", "commit", "date")}
    (folder / "audit.md").write_text(markdown(found, sentences, name, source))
    record = _record(found, sentences, config, asked, origin)
    (folder / "audit.json").write_text(json.dumps(record, indent=1) + "\n")
    title = f"Audit of {name}"
    drawn = figure.draw(scores, found, title, sentences[0])
    data_hash = config_hash({"rows": list(found_rows)})
    save_figure(drawn, folder / "audit", title, Source(command, data_hash))
    _show(found, title, console)
    for sentence in sentences:
        console.print(sentence, markup=False, soft_wrap=True)
    console.print(f"[bold]{folder / 'audit.md'}[/bold]", soft_wrap=True)
    return 0 if passes(found, config.threshold) else 1


def _record(
    found: "Findings",
    sentences: Sequence[str],
    config: AuditConfig,
    asked: Sequence[Level],
    origin: dict[str, Any],
) -> dict[str, Any]:
    """The audit in the form of docs/measurements/; what is not known is null."""
    from nasarena.figures.audit.report import table

    noise = found.noise
    summary = {
        "icc": noise.icc.estimate,
        "icc_low": noise.icc.low,
        "icc_high": noise.icc.high,
        "sd_pattern": noise.sd_pattern,
        "sd_seed": noise.sd_seed,
        "sd_paired": noise.sd_paired,
        "patterns": noise.num_patterns,
        "seeds": noise.num_seeds,
        "failed": noise.num_failed,
        "verdict": list(sentences),
        "settings": {each.label: each.proxy.options for each in asked},
        "seeds_needed": [
            [each.gap_in_sd, each.gap, each.between_patterns, each.between_runs]
            for each in found.needed
        ],
    }
    record = {
        "name": f"audit-{config.name or config.proxy.name}",
        "date": origin["date"][:10],
        "commit": origin["commit"],
        "device": _device(config.proxy, origin["hardware"]),
        "command": origin["command"],
        "rows": table(found).to_dict("records"),
        "summary": summary,
    }
    known: dict[str, Any] = _without_nan(record)
    return known


def _device(proxy: ProxyConfig, hardware: Mapping[str, Any]) -> str:
    """As docs/measurements/ call it: `cpu-2` for two usable cores, a GPU by its name."""
    from nasarena.proxies.training.devices import choose_device

    own = proxy.settings
    device = choose_device(own.device if isinstance(own, TrainedSettings) else "cpu")
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    return f"cpu-{hardware['cores']} ({hardware['machine']})"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _show(found: "Findings", title: str, console: Console) -> None:
    from nasarena.figures.audit.report import level_table

    head, _, *lines = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in level_table(found)
    )
    shown = Table(title=f"{title} (regret in sd of patterns; in brackets by chance)", box=None)
    for name in head:
        shown.add_column(name.removesuffix(" (by chance)"), no_wrap=name.startswith("regret"))
    for line in lines:
        shown.add_row(*line)
    console.print(shown)
