"""`nasarena audit anchors=published`: what a proxy says of published orders of patterns."""

import json
from dataclasses import asdict
from pathlib import Path

from nasarena.experiments.audit.anchors import (
    PUBLISHED,
    anchor_levels,
    load_comparisons,
    scores_of,
)
from nasarena.experiments.audit.trainings import train_levels
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.provenance import provenance
from nasarena.experiments.settings.audit_settings import AuditConfig


def audit_anchors(config: AuditConfig, command: str) -> int:
    """Train the patterns of all comparisons, write `anchors.md` and `anchors.json`; returns 0."""
    from nasarena.figures.audit.anchors import (
        PublishedOrder,
        anchors_markdown,
        judge_orders,
        summarize_orders,
    )

    file = PUBLISHED if config.anchors == "published" else Path(str(config.anchors))
    comparisons = load_comparisons(file, config.space)
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    anchors = anchor_levels(comparisons, config.proxy, config.space, seeds)
    console = make_console()
    levels = [level for anchor in anchors for level in anchor.levels]
    outcomes = iter(train_levels(levels, config.cache, config.workers, console))
    scores: dict[tuple[str, str], dict[str, list[float]]] = {}
    orders: list[PublishedOrder] = []
    for anchor in anchors:
        own = scores_of(anchor, [next(outcomes) for _ in anchor.levels])
        name = anchor.comparison.name
        scores[name, anchor.matching] = {
            pattern: [float("nan") if score is None else score for score in row]
            for pattern, row in own.items()
        }
        orders += [
            PublishedOrder(name, anchor.matching, better, worse)
            for better, worse in anchor.comparison.orders()
        ]
    judged = judge_orders(orders, scores)
    folder = Path(config.folder) / (config.name or config.proxy.name)
    folder.mkdir(parents=True, exist_ok=True)
    text = anchors_markdown(judged, config.proxy.name)
    (folder / "anchors.md").write_text(text)
    record = {
        **provenance(command),
        "proxy": {"name": config.proxy.name, "options": config.proxy.options},
        "summary": [asdict(one) for one in summarize_orders(judged)],
        "orders": [asdict(one) | {"verdict": one.verdict} for one in judged],
    }
    (folder / "anchors.json").write_text(json.dumps(record, indent=1) + "\n")
    for line in text.splitlines():
        if line.startswith("- "):
            console.print(line[2:], markup=False, soft_wrap=True)
    console.print(f"[bold]{folder / 'anchors.md'}[/bold]", soft_wrap=True)
    return 0
