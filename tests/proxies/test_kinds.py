"""A letter is one entry of the table of layers and one row of the table of names, nothing else."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from nasarena.agents.context.view import legend
from nasarena.experiments.measure.engine.transformers_baseline import nemotron
from nasarena.proxies.data.task import Batch, TaskSplit
from nasarena.proxies.landscape import TOKENS
from nasarena.proxies.landscapes import additive
from nasarena.proxies.models.flops import SequenceShape, forward_flops, num_parameters
from nasarena.proxies.models.kinds import LAYER_KINDS, LayerKind, has_native, native_kinds
from nasarena.proxies.models.model_shape import ModelShape, TensorSpec
from nasarena.proxies.trained import TrainedProxy, TrainedSettings
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.search.errors import InvalidSetting
from nasarena.search.notation import LETTERS, Letter, from_nemotron, layer_name
from nasarena.search.proxy import TrialSeed
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

SHAPE = ModelShape(width=8, num_heads=2, mamba_heads=2, mamba_state=4)
SPACE = PatternSpace("AG", 3)
LENGTH, VOCAB = 6, 5


class Copying:
    """Random tokens, each to be repeated: any model can learn it."""

    name, vocab_size, length, head = "copying", VOCAB, LENGTH, "language_model"
    num_train = 0
    fingerprint = "copying"

    def sample(self, run_seed: int, split: TaskSplit, num_examples: int) -> Batch:
        tokens = stream(run_seed, "data", split).integers(VOCAB, size=(num_examples, LENGTH))
        return Batch(tokens, tokens)


def _tensors(shape: ModelShape, out: float) -> list[TensorSpec]:
    return [TensorSpec("mix", (shape.width, shape.width), "normal", shape.width**-0.5 * out)]


def _gate(x_PBTD: Tensor, weights: dict[str, Tensor], shape: ModelShape) -> Tensor:
    P, B, T, D = x_PBTD.shape
    mixed = torch.bmm(x_PBTD.reshape(P, B * T, D), weights["mix"]).view(P, B, T, D)
    return x_PBTD * torch.sigmoid(mixed)


@pytest.fixture(autouse=True)
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The letter G, a gate: its two entries, and calibrations of its own."""
    kind = LayerKind(_tensors, lambda shape, length: 2 * length * shape.width**2, _gate)
    monkeypatch.setitem(LAYER_KINDS, "G", kind)
    words = Letter("gate", "a gate on each position", 1000, nemotron="G", transformers="mlp")
    monkeypatch.setitem(LETTERS, "G", words)
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path))


def proxy(steps: int = 120, step: str = "auto") -> TrainedProxy:
    train = TrainSettings(steps=steps, batch_size=8, num_eval=64, learning_rate=0.05)
    return TrainedProxy("toy", SPACE, [Copying()], TrainedSettings(SHAPE, train, step=step))


def test_a_planted_letter_trains_through_torch() -> None:
    """It learns, from the loss of a guess, ln 5, to half of it, alone and among others."""
    toy = proxy()
    assert toy.settings.step == "eager"
    patterns = ["GGG", "AGA", "GAG"]
    outcomes = toy.evaluate(patterns, [TrialSeed(0)] * 3)
    assert [outcome.status for outcome in outcomes] == ["ok"] * 3
    assert all(outcome.metrics["loss"] < 0.8 for outcome in outcomes)
    (alone,) = toy.evaluate(["AGA"], [TrialSeed(0)])
    assert alone.score == pytest.approx(outcomes[1].score, abs=1e-4)
    assert toy.cost("GAG").device_seconds > 0


def test_the_gradient_of_a_planted_letter_is_that_of_its_formula(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same layer without a gradient of its tensor scores otherwise."""
    whole = proxy().evaluate(["GGG"], [TrialSeed(0)])[0].score

    def frozen(x: Tensor, weights: dict[str, Tensor], shape: ModelShape) -> Tensor:
        return _gate(x, {"mix": weights["mix"].detach() + 0 * weights["mix"]}, shape)

    kind = LayerKind(_tensors, lambda shape, length: 0, frozen)
    monkeypatch.setitem(LAYER_KINDS, "G", kind)
    assert proxy().evaluate(["GGG"], [TrialSeed(0)])[0].score != whole


def test_costs_of_a_planted_letter_are_its_own() -> None:
    sequence = SequenceShape(VOCAB, LENGTH)
    layer = 2 * LENGTH * 8 * 8
    ends = forward_flops("GGG", SHAPE, sequence) - 3 * layer
    assert ends == 2 * LENGTH * 8 * VOCAB
    # Norm and matrix of each layer; embedding, final norm and head.
    assert num_parameters("GG", SHAPE, sequence) == 2 * (8 + 64) + VOCAB * 8 + 8 + 8 * VOCAB
    landscape = additive(PatternSpace("AG", 4))
    assert landscape.cost("GGGG").flops == 4 * 1000 * TOKENS


def test_the_native_step_says_that_it_does_not_know_a_letter() -> None:
    with pytest.raises(InvalidSetting, match="step=native does not know all of AG"):
        proxy(step="native")
    assert has_native("AMS") and not has_native("AG")
    assert list(native_kinds("SAM")) == [2, 0, 1]


def test_names_of_a_planted_letter_are_read_from_its_row() -> None:
    assert layer_name("G") == "gate" and layer_name("Z") == "Z"
    assert legend(PatternSpace("GZ", 2)) == (("G", "a gate on each position"),)
    assert from_nemotron("GM*") == "GSA"


def test_the_baseline_spells_a_planted_letter_as_its_row_says() -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    model = nemotron("GS", ModelShape(mlp="relu2"), VOCAB, LENGTH)
    assert list(model.config.layers_block_type) == ["mlp", "linear_attention"]


def test_every_letter_has_an_entry_in_both_tables() -> None:
    assert LAYER_KINDS.keys() == LETTERS.keys()
    indices = [kind.native_index for kind in LAYER_KINDS.values() if kind.native_index is not None]
    assert sorted(indices) == list(range(len(indices)))
