"""An export is the same model to transformers; what it cannot express is refused."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nasarena.experiments.commands.cli import main
from nasarena.proxies.data.text_data import text_task
from nasarena.proxies.data.text_settings import TextSettings
from nasarena.proxies.scaled.checkpoint import Checkpoint, save_checkpoint
from nasarena.proxies.scaled.model import ScaledModel, build_model
from nasarena.proxies.scaled.saved_model import load_model
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.proxies.scaled.token_definition import tokenizer_json
from nasarena.proxies.scaled.training import Cell, train_cell

SHAPE = ScaledShape(
    width=16, num_heads=4, num_kv_heads=2, head_dim=6, mlp="relu2", mlp_hidden=20, mamba_heads=6,
    mamba_head_dim=5, mamba_state=3, mamba_groups=2, vocab_size=256, rotary=False, norm_eps=1e-3,
)  # fmt: skip
TEXT = "def f(x):\n    return 'é' + x  # naïve\n" * 3


def checkpoint(folder: Path, pattern: str, shape: ScaledShape) -> Path:
    """A model beside its start, so that no norm is one and no bias zero."""
    model = build_model(pattern, shape, seed=0)
    generator = torch.Generator().manual_seed(1)
    tensors = {
        name: tensor.detach() + 0.1 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in model.named_parameters()
    }
    identity = {
        "pattern": pattern, "shape": asdict(shape), "settings": asdict(ScaledSettings()),
        "seed": 0, "task": "text", "code": "none",
    }  # fmt: skip
    file = folder / "model.safetensors"
    save_checkpoint(file, Checkpoint(7, tensors, identity))
    return file


def log_probabilities(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found = model(tokens)
    logits = found if isinstance(found, torch.Tensor) else found.logits
    return logits.float().log_softmax(-1)


def load_export(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert {key: list(value) for key, value in info.items() if value} == {}
    return model


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("pattern", ["SMAMSMAS", "AM", "SM"])
def test_transformers_computes_our_log_probabilities(
    pattern: str, tied: bool, tmp_path: Path
) -> None:
    """Over more than one of its chunks of 128 positions, tokens by the exported tokenizer."""
    from transformers import AutoTokenizer

    file = checkpoint(tmp_path, pattern, replace(SHAPE, tied_embeddings=tied))
    assert main(["export", str(file), str(tmp_path / "out")]) == 0
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    ids = tokenizer(TEXT * 2)["input_ids"]
    assert ids == list((TEXT * 2).encode())
    assert tokenizer.decode(ids) == TEXT * 2
    tokens = torch.tensor([ids])
    ours: ScaledModel = load_model(file)[0]
    torch.testing.assert_close(
        log_probabilities(load_export(tmp_path / "out"), tokens),
        log_probabilities(ours, tokens),
        rtol=0, atol=1e-4,
    )  # fmt: skip


def test_layers_are_named_for_transformers_and_for_vllm(tmp_path: Path) -> None:
    file = checkpoint(tmp_path, "SMAM", SHAPE)
    main(["export", str(file), str(tmp_path / "out")])
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config["layers_block_type"] == ["linear_attention", "mlp", "full_attention", "mlp"]
    assert config["hybrid_override_pattern"] == "M-*-"
    assert config["num_hidden_layers"] == 4
    assert "1S1M1A1M" in (tmp_path / "out/README.md").read_text()


def test_a_cell_that_was_trained_on_tokens_is_exported_with_its_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 20)
    text = TextSettings(
        path=str(tmp_path / "text.txt"), tokenizer="train:300", length=8,
        shards=str(tmp_path / "shards"),
    )  # fmt: skip
    task = text_task(text, batch_size=2)
    settings = ScaledSettings(batch_size=2, warmup_steps=1, num_eval=2)
    shape = replace(SHAPE, vocab_size=task.vocab_size)
    cell = Cell("SM", shape, settings, 0, task, tokenizer_json(text))
    for _ in train_cell(cell, [5 * cell.tokens_per_step], tmp_path / "cell"):
        pass
    assert main(["export", str(tmp_path / "cell"), str(tmp_path / "out")]) == 0
    exported = json.loads((tmp_path / "out/tokenizer.json").read_text())
    assert exported == json.loads((tmp_path / "shards/tokenizer.json").read_text())
    end = exported["model"]["vocab"]["<|endoftext|>"]
    assert json.loads((tmp_path / "out/config.json").read_text())["eos_token_id"] == end
    (tmp_path / "cell/tokenizer.json").unlink()
    assert main(["export", str(tmp_path / "cell"), str(tmp_path / "again")]) == 2


@pytest.mark.parametrize(
    ("pattern", "change", "words"),
    [
        ("SMA", {"rotary": True}, "rotary must be false for an export"),
        ("SMA", {"mlp": "swiglu"}, "mlp must be relu2 for an export, got swiglu"),
        ("SMA", {"mlp": "gelu"}, "mlp must be relu2 for an export, got gelu"),
        ("SMA", {"vocab_size": 300}, "tokenizer must have the 300 tokens of the model, got 256"),
    ],
)
def test_what_cannot_be_expressed_is_refused_in_one_line(
    pattern: str, change: dict[str, Any], words: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file = checkpoint(tmp_path, pattern, replace(SHAPE, **change))
    assert main(["export", str(file), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_option_of_layers_that_are_not_there_is_no_matter(tmp_path: Path) -> None:
    file = checkpoint(tmp_path, "SS", replace(SHAPE, rotary=True, mlp="gelu"))
    assert main(["export", str(file), str(tmp_path / "out")]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "a checkpoint (or the folder of a cell) and a folder to write are expected"),
        (["lost.safetensors", "out"], "checkpoint must be a file or a cell's folder"),
        ([".", "out"], "a cell must have a finished budget"),
        (["model.safetensors", "."], "the folder of an export must be empty or new"),
        (["model.safetensors", "out", "tokeniser=x"], "nearest: tokenizer"),
        (["model.safetensors", "out", "tokenizer=lost.json"], "got 'lost.json'"),
        (["torn.safetensors", "out"], "torn.safetensors is no whole checkpoint"),
        (["strange.safetensors", "out"], "strange.safetensors is no model of ours"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    file = checkpoint(tmp_path, "SM", SHAPE)
    Path("torn.safetensors").write_bytes(file.read_bytes()[:-9])
    model, found = load_model(file)
    other = dict(found.tensors) | {"embedding.weight": torch.zeros(3, 16)}
    save_checkpoint(Path("strange.safetensors"), replace(found, tensors=other))
    assert main(["export", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not Path("out").exists()
