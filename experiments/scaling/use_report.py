"""The table of `nasarena inference`: a row for each model and context, and its figure."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from nasarena.experiments.scaling.cost_at_use import CostAtUse, measure_use
from nasarena.experiments.scaling.saved_cell import SavedCell
from nasarena.experiments.settings.saved_model_settings import InferenceConfig
from nasarena.search.notation import run_lengths

if TYPE_CHECKING:
    import pandas as pd

FIGURE = "inference"


@dataclass(frozen=True, slots=True)
class UseRow:
    """One model at one context; `loss` is held out in nats a token, None where it is not known."""

    pattern: str
    parameters: int
    loss: float | None
    device: str
    cost: CostAtUse


def use_rows(
    saved: SavedCell, config: InferenceConfig, watch: Callable[[], None] = lambda: None
) -> list[UseRow]:
    """What one model costs at all contexts."""
    model, result = saved.model, saved.result
    costs = measure_use(
        model, config.contexts, config.batch, config.new_tokens, config.repeats, watch
    )
    loss = None if result is None else result.loss
    device = str(model.embedding.weight.device)
    pattern = run_lengths(model.pattern)
    return [UseRow(pattern, model.num_parameters, loss, device, cost) for cost in costs]


def table(rows: Sequence[UseRow]) -> "pd.DataFrame":
    """For the file and the figure; equal patterns of other sizes are told apart by `label`."""
    import pandas as pd

    sizes = {(row.pattern, row.parameters, row.loss) for row in rows}
    is_unique = len({pattern for pattern, *_ in sizes}) == len(sizes)
    return pd.DataFrame(
        {
            "label": row.pattern if is_unique else f"{row.pattern} {row.parameters / 1e6:.3g}M",
            "pattern": row.pattern,
            "parameters": row.parameters,
            "loss": row.loss,
            "device": row.device,
            **asdict(row.cost),
            "prefill_tokens_per_s": row.cost.prefill_tokens_per_s,
            "decode_tokens_per_s": row.cost.decode_tokens_per_s,
            "memory_bytes": row.cost.cache_bytes + row.cost.state_bytes,
        }
        for row in rows
    )


def show(rows: Sequence[UseRow]) -> Table:
    """For the terminal."""
    shown = Table(
        "pattern", "parameters", "context", "read, tokens/s", "write, ms a token", "cache, KiB",
        "states, KiB",
    )  # fmt: skip
    for row in rows:
        cost = row.cost
        shown.add_row(
            row.pattern,
            f"{row.parameters:,}",
            f"{cost.context:,}",
            f"{cost.prefill_tokens_per_s:,.0f}",
            f"{1e3 * cost.decode_s:.2f}",
            f"{cost.cache_bytes / 1024:,.1f}",
            f"{cost.state_bytes / 1024:,.1f}",
        )
    return shown


def draw(rows: Sequence[UseRow], folder: Path, command: str) -> list[Path]:
    """Save the figure of loss against cost; returns its files."""
    from nasarena.figures.plots.figure_files import Source, save_figure
    from nasarena.figures.scaling.inference_figure import TITLE, draw_pareto

    content = table(rows)
    data_hash = hashlib.sha256(content.to_csv(index=False).encode()).hexdigest()[:16]
    figure = draw_pareto(content, rows[0].device)
    return save_figure(figure, folder / FIGURE, TITLE, Source(command, data_hash))
