"""Cost at use: every token passes once, memory is counted, the table and the figure hold."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nasarena.experiments.commands.cli import main
from nasarena.experiments.scaling import cost_at_use
from nasarena.experiments.scaling.cost_at_use import measure_use
from nasarena.figures.scaling.inference_figure import draw_pareto, pareto_front
from nasarena.proxies.scaled.checkpoint import Checkpoint, save_checkpoint
from nasarena.proxies.scaled.decoding import Memory
from nasarena.proxies.scaled.model import ScaledModel, build_model
from nasarena.proxies.scaled.shape import ScaledShape

SHAPE = ScaledShape(
    width=8, num_heads=2, num_kv_heads=1, head_dim=4, mlp="relu2", mlp_hidden=8, mamba_heads=2,
    mamba_head_dim=4, mamba_state=3, vocab_size=256,
)  # fmt: skip


def test_the_context_is_read_once_and_each_token_written_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts: list[tuple[int, int]] = []
    extend = cost_at_use.extend

    def watched(model: ScaledModel, memory: Memory, tokens: torch.Tensor) -> torch.Tensor:
        parts.append((memory.num_read, tokens.shape[1]))
        return extend(model, memory, tokens)

    monkeypatch.setattr(cost_at_use, "extend", watched)
    (row,) = measure_use(build_model("AMS", SHAPE, 0), [5], batch=2, new_tokens=3, repeats=1)
    assert parts == 2 * [(0, 5), (5, 1), (6, 1), (7, 1)]  # a warm-up, and one that counts
    assert row.cache_bytes == 2 * 4 * (2 * 5 * 4)
    assert row.state_bytes == 2 * 4 * (3 * (8 + 2 * 3) + 2 * 3 * 4)
    assert row.prefill_tokens_per_s == pytest.approx(10 / row.prefill_s)
    assert row.decode_tokens_per_s == pytest.approx(2 / row.decode_s)
    assert row.peak_bytes is None


def cell(folder: Path, pattern: str, loss: float) -> Path:
    """A finished cell as its folder says it, not trained."""
    folder.mkdir()
    model = build_model(pattern, SHAPE, seed=0)
    tensors = {name: tensor.detach() for name, tensor in model.named_parameters()}
    identity = {"pattern": pattern, "shape": asdict(SHAPE), "seed": 0}
    save_checkpoint(folder / "final-7.safetensors", Checkpoint(7, tensors, identity))
    result = {
        "pattern": pattern, "seed": 0, "steps": 7, "tokens": 70, "loss": loss, "bits_per_byte": 1.0,
    }  # fmt: skip
    (folder / "result-7.json").write_text(json.dumps(result))
    return folder


def test_the_command_writes_a_row_for_each_model_and_context(tmp_path: Path) -> None:
    cells = [cell(tmp_path / "a", "AM", 1.5), cell(tmp_path / "s", "SM", 1.25)]
    settings = ["contexts=[3,6]", "new_tokens=2", "repeats=1", f"out={tmp_path / 'out'}"]
    assert main(["inference", *map(str, cells), *settings]) == 0
    table = pd.read_csv(tmp_path / "out/inference.csv")
    assert list(table["label"]) == ["1A1M", "1A1M", "1S1M", "1S1M"]
    assert list(table["context"]) == [3, 6, 3, 6]
    assert list(table["loss"]) == [1.5, 1.5, 1.25, 1.25]
    keys, states = table["cache_bytes"].to_numpy(), table["state_bytes"].to_numpy()
    assert keys[1] == 2 * keys[0] and not keys[2:].any()
    assert states[2] == states[3] > 0 and not states[:2].any()
    assert (tmp_path / "out/inference.png").stat().st_size > 0


def test_the_front_holds_what_no_other_beats_in_both() -> None:
    cost, loss = np.array([1.0, 2.0, 2.0, 3.0, 4.0]), np.array([3.0, 2.5, 2.0, 2.2, 1.0])
    assert pareto_front(cost, loss) == [0, 2, 4]


def test_one_model_makes_no_figure_of_a_front() -> None:
    rows = pd.DataFrame({"label": ["A"], "context": [1], "loss": [1.0]})
    (axes,) = draw_pareto(rows, "cpu").axes
    assert "Two models" in axes.texts[0].get_text()


def test_no_checkpoint_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments in ([], [str(tmp_path)], [str(tmp_path), "contexts=[]"]):
        assert main(["inference", *arguments]) == 2
    first, second, third = capsys.readouterr().err.splitlines()
    assert "at least one checkpoint" in first and "finished budget" in second
    assert "contexts" in third
