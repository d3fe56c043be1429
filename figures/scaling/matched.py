"""What of a grid was matched and where it was made, as sections of its report."""

from collections.abc import Iterator

from nasarena.figures.plots.figure_files import Source
from nasarena.figures.results.scaling import ScalingTable
from nasarena.figures.results.scaling_grid import GridFacts
from nasarena.figures.scaling.blocks import Block, Points, Rows, Section


def matched_section(table: ScalingTable, facts: GridFacts | None) -> Section:
    """Parameters, tokens and FLOPs at each size, and what all architectures shared."""
    return Section("matched", "What was matched", list(_blocks(table, facts)))


def _blocks(table: ScalingTable, facts: GridFacts | None) -> Iterator[Block]:
    head = ["size", "architectures", "seeds", "parameters N", "tokens", "FLOPs", "N apart",
            "FLOPs apart"]  # fmt: skip
    if facts is not None:
        head += ["learning rate", "batch"]
    rows = []
    for size, own in table.rows.groupby("size", sort=False):
        cells = [str(size), str(own["label"].nunique()), str(own["seed"].nunique())]
        cells += [
            _range(own[name].min(), own[name].max()) for name in ("params", "tokens", "flops")
        ]
        same = own.groupby("tokens")
        ratios = [
            float((same[name].max() / same[name].min()).max()) for name in ("params", "flops")
        ]
        cells += [f"{100 * (ratio - 1):.1f} %" for ratio in ratios]
        if facts is not None:
            known = facts.training.get(str(size))
            cells += ["", ""] if known is None else [f"{known[0]:.3g}", str(known[1])]
        rows.append(cells)
    yield Rows(head, rows)
    yield "Apart: the largest difference between architectures on equally many tokens."
    if facts is not None:
        yield (
            "All architectures of a size have the same rate, batch, warm-up and schedule, and with "
            "a seed the same text in the same order."
        )
        if facts.sweep:
            yield "Learning rates were chosen by a sweep, on a seed that no training above has:"
            yield Rows(["size", "learning rate", "loss", "chosen"], [
                [row["size"], f"{row['learning_rate']:g}",
                 "diverged" if row["loss"] is None else f"{row['loss']:.4f}",
                 "yes" if row["chosen"] else ""]
                for row in facts.sweep
            ])  # fmt: skip


def provenance_section(facts: GridFacts | None, source: Source) -> Section:
    """The command of the report, the hash of the losses, and each command that trained."""
    blocks: list[Block] = [f"Report: {source.command}", f"Data: {source.data_hash}"]
    if facts is None:
        blocks.append("Nothing beside the table says where its losses were made.")
    else:
        for each in facts.sources:
            blocks.append(Points([f"{key}: {value}" for key, value in each.items()]))
        blocks.append(Rows(["setting", "value"], [list(pair) for pair in facts.settings]))
    return Section("provenance", "Provenance", blocks)


def _range(low: float, high: float) -> str:
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
