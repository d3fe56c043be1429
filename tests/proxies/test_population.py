"""A population against NemotronH with the same weights, and against its members alone."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nasarena.proxies.models.flops import SequenceShape, forward_flops, layer_flops, num_parameters
from nasarena.proxies.models.kinds import layer_tensors
from nasarena.proxies.models.model_shape import HeadKind, ModelShape
from nasarena.proxies.models.permutation import permute
from nasarena.proxies.models.population import Population
from nasarena.search.errors import InvalidSetting

VOCAB, LENGTH, BATCH = 11, 12, 3
CPU = torch.device("cpu")
SMALL = ModelShape(width=16, num_heads=2, mamba_heads=2, mamba_state=4)
GROUPED = ModelShape(
    width=16, num_heads=4, num_kv_heads=2, head_dim=6, mamba_heads=4, mamba_groups=2, mamba_state=4,
    tied_embeddings=True,
)  # fmt: skip
SHAPES = pytest.mark.parametrize("shape", [SMALL, GROUPED], ids=["small", "grouped"])


def population(
    patterns: list[str],
    shape: ModelShape = SMALL,
    head: HeadKind = "language_model",
    length: int = LENGTH,
) -> Population:
    """Each model draws from a stream named by its pattern."""
    generators = [
        torch.Generator().manual_seed(int.from_bytes(pattern.encode(), "little") % 2**62)
        for pattern in patterns
    ]
    return Population(patterns, generators, shape, VOCAB, length, head, CPU)


def tokens(members: int, length: int = LENGTH) -> Tensor:
    """The same tokens for each member."""
    drawn = torch.randint(VOCAB, (BATCH, length), generator=torch.Generator().manual_seed(5))
    return drawn.expand(members, BATCH, length)


def test_settings_near_scale_change_nothing_where_they_say_what_is_so_anyway() -> None:
    """To the last bit: as many key heads as heads, their usual width, one group."""
    said = replace(SMALL, num_kv_heads=2, head_dim=8, mamba_groups=1, tied_embeddings=False)
    plain, explicit = population(["AMSASM"]), population(["AMSASM"], said)
    assert torch.equal(plain.flat, explicit.flat)
    assert torch.equal(plain.logits(tokens(1)), explicit.logits(tokens(1)))


def gradients_by_member(models: Population, logits: Tensor) -> list[Tensor]:
    """Each model's gradient of a fixed function of its logits, in one vector each."""
    upstream = torch.randn(logits.shape[1:], generator=torch.Generator().manual_seed(3))
    parts = torch.autograd.grad((logits * upstream).sum(), models.leaves)
    flat = torch.cat([part.flatten() for part in parts])
    return [flat[models.owner == member] for member in range(models.size)]


@pytest.mark.parametrize(("options", "spread"), [({}, 0.1), ({"embedding_std": 0.5}, 0.5)])
def test_weights_begin_as_random_as_is_said(options: dict[str, float], spread: float) -> None:
    """1,024 to 2,048 draws: 4 standard errors are 9 % and 6 % of the spread."""
    shape = ModelShape(width=32, num_heads=2, mamba_heads=2, mamba_state=4, **options)
    models = Population(
        ["A"], [torch.Generator().manual_seed(0)], shape, 64, LENGTH, "auto_encoder", CPU
    )
    wanted = {"embedding": spread, "head": 0.02, "decoder_1": 0.02, "decoder_2": 0.02}
    for name, deviation in wanted.items():
        drawn = models.ends[name].detach()
        assert float(drawn.std()) == pytest.approx(deviation, rel=0.09), name
        assert abs(float(drawn.mean())) < 4 * deviation / drawn.numel() ** 0.5


@pytest.mark.parametrize("head", ["language_model", "auto_encoder"])
@pytest.mark.parametrize("size", [2, 7])
def test_a_member_computes_what_it_computes_alone(size: int, head: HeadKind) -> None:
    patterns = ["AMSM", "SSAM", "MMMM", "AAAA", "SSSS", "MSMA", "SAMS"][:size]
    together = population(patterns, head=head)
    logits = together.logits(tokens(size))
    assert logits.shape == (size, BATCH, LENGTH, VOCAB)
    gradients = gradients_by_member(together, logits)
    for member, pattern in enumerate(patterns):
        alone = population([pattern], head=head)
        own = alone.logits(tokens(1))
        torch.testing.assert_close(logits[member], own[0], rtol=1e-5, atol=1e-5)
        (gradient,) = gradients_by_member(alone, own)
        torch.testing.assert_close(gradients[member], gradient, rtol=1e-4, atol=1e-4)


def test_an_auto_encoder_sees_the_sequence_through_its_last_state_alone() -> None:
    """With MLP layers only, the last state knows the last token and nothing else."""
    models = population(["MMM"], head="auto_encoder")
    other = tokens(1).clone()
    other[:, :, :-1] = (other[:, :, :-1] + 1) % VOCAB
    assert torch.equal(models.logits(tokens(1)), models.logits(other))
    other[:, :, -1] = (other[:, :, -1] + 1) % VOCAB
    assert not torch.allclose(models.logits(tokens(1)), models.logits(other))


def test_equal_streams_give_equal_weights_and_other_streams_others() -> None:
    first, again = population(["AMS"]), population(["AMS", "SMA"])
    own = again.flat[again.owner == 0]
    assert torch.equal(first.flat, own)
    assert not torch.equal(first.flat, again.flat[again.owner == 1])


@pytest.mark.parametrize("pattern", ["AMSMASSM", "SSSS", "M"])
@pytest.mark.parametrize("head", ["language_model", "auto_encoder"])
@SHAPES
def test_parameters_are_counted_exactly(shape: ModelShape, pattern: str, head: HeadKind) -> None:
    sequence = SequenceShape(VOCAB, LENGTH, head)
    models = population([pattern], shape, head=head)
    assert num_parameters(pattern, shape, sequence) == models.flat.numel()
    assert sum(leaf.numel() for leaf in models.leaves) == models.flat.numel()


@pytest.mark.parametrize("length", [12, 100])  # one chunk, and more
@pytest.mark.parametrize("head", ["language_model", "auto_encoder"])
@pytest.mark.parametrize("pattern", ["A", "M", "S", "AMSSMA"])
@SHAPES
def test_flops_are_what_torch_counts(
    shape: ModelShape, pattern: str, head: HeadKind, length: int
) -> None:
    """All but the taps of the convolution, which are not a library product here."""
    from torch.utils.flop_counter import FlopCounterMode

    models = population([pattern], shape, head=head, length=length)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        models.logits(tokens(1, length))
    sequence = SequenceShape(VOCAB, length, head)
    mamba = shape.mamba
    taps = pattern.count("S") * 2 * mamba.conv_channels * mamba.conv * length
    expected = BATCH * (forward_flops(pattern, shape, sequence) - taps)
    assert counter.get_total_flops() == expected


def test_backward_counts_twice_the_forward_but_for_rounding() -> None:
    """The convention of three forward passes a step, against what torch counts."""
    from torch.utils.flop_counter import FlopCounterMode

    models = population(["AMSAMS"])
    with FlopCounterMode(display=False) as counter:
        logits = models.logits(tokens(1))
        forward = counter.get_total_flops()
        torch.autograd.grad(logits.sum(), models.leaves)
    # The first layer's input gradient goes into the embedding, so nothing is left out.
    assert counter.get_total_flops() == 3 * forward


def test_permuted_members_get_their_own_gradients_back() -> None:
    there, back = torch.tensor([2, 0, 1]), torch.tensor([1, 2, 0])
    x = torch.arange(3.0, dtype=torch.float64).requires_grad_()
    assert permute(x, there, back).tolist() == [2, 0, 1]
    assert torch.equal(permute(permute(x, there, back), back, there), x)
    assert torch.autograd.gradcheck(permute, (x, there, back))


def test_flops_by_hand() -> None:
    """Width 4, length 3, MLP twice as wide: two products of 3 x 4 x 8, a multiply and an add."""
    shape = ModelShape(width=4, num_heads=1, mlp_ratio=2.0, mamba_heads=1)
    assert layer_flops("M", shape, 3) == 2 * 2 * 3 * 4 * 8
    assert layer_flops("A", shape, 3) == 2 * 3 * 4 * 12 + 2 * 3 * 4 * 4 + 2 * 2 * 3 * 3 * 4
    # Two heads of 6 with one head of keys and one of values: 24 columns, 12 mixed.
    shape = ModelShape(width=4, num_heads=2, num_kv_heads=1, head_dim=6, mamba_heads=1)
    assert layer_flops("A", shape, 3) == 2 * 3 * 4 * 24 + 2 * 3 * 12 * 4 + 2 * 2 * 3 * 3 * 12


def test_impossible_sizes_are_refused() -> None:
    for name, value in (("width", -8), ("mlp_ratio", 0), ("mamba_state", 0), ("embedding_std", -1)):
        with pytest.raises(InvalidSetting, match=f"{name} must be positive, got {value}"):
            ModelShape(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(InvalidSetting, match="mlp must be one of gelu, swiglu, relu2, got 'foo'"):
        ModelShape(mlp="foo")  # type: ignore[arg-type]
    with pytest.raises(InvalidSetting, match="num_heads must divide 16, got 3"):
        ModelShape(width=16, num_heads=3)
    with pytest.raises(InvalidSetting, match="num_kv_heads must divide 4, got 3"):
        ModelShape(width=16, num_heads=4, num_kv_heads=3)
    with pytest.raises(InvalidSetting, match="mamba_groups must divide 2, got 4"):
        ModelShape(mamba_groups=4)
    with pytest.raises(InvalidSetting, match="even head width, got 5"):
        ModelShape(head_dim=5)
    with pytest.raises(InvalidSetting, match="even head width, got 3"):
        ModelShape(width=12, num_heads=4, mamba_heads=2)
    with pytest.raises(InvalidSetting, match="layers A, M and S, got 'X'"):
        layer_tensors("X", SMALL, 4)


NEMOTRON_KINDS = {"A": "full_attention", "M": "mlp", "S": "linear_attention"}
NEMOTRON_ACTIVATIONS = {"relu2": "relu2", "gelu": "gelu_pytorch_tanh"}


def nemotron(pattern: str, shape: ModelShape, chunk: int) -> Any:
    """NemotronH of the pattern, at our sizes, in plain PyTorch."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    config = transformers.NemotronHConfig(
        vocab_size=VOCAB,
        hidden_size=shape.width,
        layers_block_type=[NEMOTRON_KINDS[letter] for letter in pattern],
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_width,
        intermediate_size=shape.mlp_width,
        mlp_hidden_act=NEMOTRON_ACTIVATIONS[shape.mlp],
        ssm_state_size=shape.mamba_state,
        mamba_num_heads=shape.mamba_heads,
        mamba_head_dim=shape.mamba.inner // shape.mamba_heads,
        n_groups=shape.mamba_groups,
        conv_kernel=shape.mamba_conv,
        chunk_size=chunk,
        time_step_min=1e-9,  # NemotronH clamps dt to it, Mamba-2 does not
        layer_norm_epsilon=1e-5,
        attn_implementation="eager",
        use_cache=False,
    )
    return transformers.NemotronHForCausalLM(config).eval()


def rename_leaves(models: Population, pattern: str, values: Sequence[Tensor]) -> dict[str, Tensor]:
    """One value for each of our leaves, under NemotronH's names and in its layout."""
    value_of = {id(leaf): value[0] for leaf, value in zip(models.leaves, values, strict=True)}
    ends = {name: value_of[id(leaf)] for name, leaf in models.ends.items()}
    named = {
        "model.embeddings.weight": ends["embedding"],
        "model.norm_f.weight": ends["final_norm"],
        "lm_head.weight": ends["head"].mT,
    }
    for slot, letter in enumerate(pattern):
        leaves = models.groups[slot][0].weights
        weights = {name: value_of[id(leaf)] for name, leaf in leaves.items()}
        prefix = f"model.layers.{slot}."
        named[prefix + "norm.weight"] = weights["norm"]
        if letter == "M":
            named[prefix + "mixer.up_proj.weight"] = weights["in_proj"].mT
            named[prefix + "mixer.down_proj.weight"] = weights["out_proj"].mT
        elif letter == "A":
            K = models.shape.head_width
            widths = [K * models.shape.num_heads, *[K * models.shape.kv_heads] * 2]
            for part, tensor in zip("qkv", weights["in_proj"].split(widths, -1), strict=True):
                named[f"{prefix}mixer.{part}_proj.weight"] = tensor.mT
            named[prefix + "mixer.o_proj.weight"] = weights["out_proj"].mT
        else:
            for theirs, ours, turned in (
                ("in_proj.weight", "in_proj", True),
                ("conv1d.weight", "conv", False),
                ("conv1d.bias", "conv_bias", False),
                ("dt_bias", "dt_bias", False),
                ("A_log", "a_log", False),
                ("D", "skip", False),
                ("norm.weight", "gate_norm", False),
                ("out_proj.weight", "out_proj", True),
            ):
                named[f"{prefix}mixer.{theirs}"] = weights[ours].mT if turned else weights[ours]
    return named


def relative_error(got: Tensor, wanted: Tensor) -> float:
    return float(((got - wanted).abs().max() / wanted.abs().max()).detach())


@pytest.mark.parametrize("length", [12, 100])  # one chunk, and several of ours and of theirs
@pytest.mark.parametrize(
    ("pattern", "mlp"),
    [("A", "gelu"), ("M", "relu2"), ("M", "gelu"), ("S", "gelu"), ("ASMSAM", "relu2")],
)
@SHAPES
def test_values_and_gradients_are_nemotrons(
    shape: ModelShape, pattern: str, mlp: Any, length: int
) -> None:
    shape = replace(shape, rotary=False, mlp=mlp, tied_embeddings=False)
    ours = population([pattern], shape, length=length)
    theirs = nemotron(pattern, shape, chunk=16)
    parameters = dict(theirs.named_parameters())
    with torch.no_grad():
        for name, value in rename_leaves(ours, pattern, ours.leaves).items():
            parameters[name].copy_(value.reshape(parameters[name].shape))
    got, wanted = ours.logits(tokens(1, length))[0], theirs(tokens(1, length)[0]).logits
    assert relative_error(got, wanted) < 1e-4
    upstream = torch.randn(got.shape, generator=torch.Generator().manual_seed(3))
    our_gradients = torch.autograd.grad((got * upstream).sum(), ours.leaves)
    names = list(parameters)
    their_gradients = torch.autograd.grad((wanted * upstream).sum(), list(parameters.values()))
    by_name = rename_leaves(ours, pattern, our_gradients)
    assert set(by_name) == set(names)
    for name, expected in zip(names, their_gradients, strict=True):
        assert relative_error(by_name[name].reshape(expected.shape), expected) < 1e-4, name


def test_values_and_gradients_are_llamas() -> None:
    """Grouped queries, SwiGLU, tied weights and positions: AM twice is two of Llama's blocks."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    shape = replace(GROUPED, mlp="swiglu")
    ours = population(["AMAM"], shape)
    config = transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=6, intermediate_size=shape.mlp_width, rms_norm_eps=1e-5,
        rope_theta=10_000.0, tie_word_embeddings=True, attn_implementation="eager", use_cache=False,
    )  # fmt: skip
    theirs = transformers.LlamaForCausalLM(config).eval()
    parameters = dict(theirs.named_parameters())
    with torch.no_grad():
        for name, value in llama_names(ours, [leaf[0] for leaf in ours.leaves]).items():
            parameters[name].copy_(value)
    got, wanted = ours.logits(tokens(1))[0], theirs(tokens(1)[0]).logits
    assert relative_error(got, wanted) < 1e-4
    upstream = torch.randn(got.shape, generator=torch.Generator().manual_seed(3))
    ours_by_leaf = torch.autograd.grad((got * upstream).sum(), ours.leaves)
    by_name = llama_names(ours, [each[0] for each in ours_by_leaf])
    assert set(by_name) == set(parameters)
    expected = torch.autograd.grad((wanted * upstream).sum(), list(parameters.values()))
    for name, gradient in zip(parameters, expected, strict=True):
        assert relative_error(by_name[name], gradient) < 1e-4, name


def llama_names(models: Population, values: Sequence[Tensor]) -> dict[str, Tensor]:
    """One value for each of our leaves of `AM` repeated, under Llama's names and in its layout.

    Llama turns element j of a head with element j + K / 2, we with its neighbour.
    """
    value_of = {id(leaf): value for leaf, value in zip(models.leaves, values, strict=True)}
    K, num_heads, kv_heads = (
        models.shape.head_width, models.shape.num_heads, models.shape.kv_heads
    )  # fmt: skip
    order = [*range(0, K, 2), *range(1, K, 2)]
    named = {
        "model.embed_tokens.weight": value_of[id(models.ends["embedding"])],
        "model.norm.weight": value_of[id(models.ends["final_norm"])],
    }
    for slot, (group,) in enumerate(models.groups):
        own = {name: value_of[id(leaf)] for name, leaf in group.weights.items()}
        prefix = f"model.layers.{slot // 2}."
        if group.letter == "M":
            gate, up = own["in_proj"].mT.chunk(2)
            named[prefix + "post_attention_layernorm.weight"] = own["norm"]
            named |= {f"{prefix}mlp.gate_proj.weight": gate, f"{prefix}mlp.up_proj.weight": up}
            named[prefix + "mlp.down_proj.weight"] = own["out_proj"].mT
            continue
        parts = own["in_proj"].mT.split([K * num_heads, K * kv_heads, K * kv_heads])
        named[prefix + "input_layernorm.weight"] = own["norm"]
        for name, part in zip("qkv", parts, strict=True):
            turned = part if name == "v" else part.view(-1, K, 16)[:, order].reshape(part.shape)
            named[f"{prefix}self_attn.{name}_proj.weight"] = turned
        named[prefix + "self_attn.o_proj.weight"] = own["out_proj"].mT
    return named
