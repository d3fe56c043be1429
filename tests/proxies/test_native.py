"""The CPU's own kernels against torch's composed layers: losses, gradients, updates, scores."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nasarena.proxies.data.task import IGNORE
from nasarena.proxies.models.flops import SequenceShape
from nasarena.proxies.models.model_shape import HeadKind, ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.native.library import native_library, require_library
from nasarena.proxies.native.products import products
from nasarena.proxies.native.step import NativeStep
from nasarena.proxies.training.adamw import FlatAdamW
from nasarena.proxies.training.devices import choose_step
from nasarena.proxies.training.native_memory import NativeMemoryModel
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.proxies.training.train_step import TrainStep, losses
from nasarena.search.errors import InvalidSetting

CPU = torch.device("cpu")
QUICK = ModelShape(width=32, num_heads=2, mamba_heads=2, mamba_state=8)
# No size a multiple of any vector's length.
ODD = ModelShape(width=20, num_heads=5, mamba_heads=4, mamba_state=3, mamba_conv=3)
ODD_WIDTH = replace(ODD, rotary=False, width=15, num_heads=3, mamba_heads=3)
# Heads share keys, groups of heads B and C; the head is the embedding; no head as wide as a share.
GROUPED = ModelShape(
    width=20, num_heads=6, num_kv_heads=2, head_dim=6, mamba_heads=4, mamba_groups=2, mamba_state=3,
    tied_embeddings=True,
)  # fmt: skip
WIDE = ModelShape(width=96, num_heads=4, mamba_heads=4, mamba_state=32)
TRAIN = TrainSettings(learning_rate=0.01, weight_decay=0.1, clip=0.5)
LIMIT = 1e6

needs_compiler = pytest.mark.skipif(native_library() is None, reason="needs a C++ compiler")


def population(
    patterns: list[str],
    shape: ModelShape = QUICK,
    length: int = 32,
    vocab: int = 40,
    head: HeadKind = "language_model",
) -> Population:
    """Weights beside their start, where norms are ones, biases zeros and gradients special."""
    generators = [torch.Generator().manual_seed(len(pattern)) for pattern in patterns]
    models = Population(patterns, generators, shape, vocab, length, head, CPU)
    with torch.no_grad():
        for place in models.places:
            own = models.flat[place.start : place.start + place.size]
            own += 0.1 * torch.randn(
                place.size, generator=torch.Generator().manual_seed(place.size)
            )
    return models


def tokens(models: Population, batch: int = 3) -> tuple[Tensor, Tensor]:
    """Every model the same; a third of the targets do not count."""
    generator = torch.Generator().manual_seed(7)
    size = (batch, len(models.positions_TD))
    vocab = models.ends["embedding"].shape[1]
    inputs = torch.randint(vocab, size, generator=generator)
    targets = torch.randint(vocab, size, generator=generator)
    targets[torch.rand(size, generator=generator) < 0.3] = IGNORE
    targets[0, -1] = 0  # one at least counts
    return inputs.expand(models.size, -1, -1), targets.expand(models.size, -1, -1)


def native(models: Population, settings: TrainSettings = TRAIN, limit: float = LIMIT) -> NativeStep:
    betas = (settings.beta1, settings.beta2)
    return NativeStep(models, betas, settings.weight_decay, settings.max_norm, limit)


def through_torch(models: Population, settings: TrainSettings = TRAIN) -> TrainStep:
    betas = (settings.beta1, settings.beta2)
    optimizer = FlatAdamW(models, betas, settings.weight_decay, settings.max_norm)
    return TrainStep(models, optimizer, LIMIT)


def gradient_of_step(models: Population, inputs: Tensor, targets: Tensor) -> Tensor:
    """The first moment after one step, of weight 1 and without clipping, is the gradient."""
    step = native(models, replace(TRAIN, beta1=0.0, clip=None))
    step(inputs, targets, 0.0)
    return step.state(1)[1]


def assert_gradients_agree(models: Population) -> None:
    inputs, targets = tokens(models)
    loss_P = losses(models.logits(inputs), targets)
    parts = torch.autograd.grad(loss_P.sum(), models.leaves)
    wanted = torch.cat([part.flatten() for part in parts])
    torch.testing.assert_close(native(models)(inputs, targets, 0.0), loss_P.detach())
    got = gradient_of_step(models, inputs, targets)
    assert bool(got.isfinite().all())
    for place in models.places:
        ours, theirs = (each[place.start : place.start + place.size] for each in (got, wanted))
        error = float((ours - theirs).norm() / theirs.norm().clamp(min=1e-6))
        assert error < 1e-4, f"{place.name} of slot {place.slot}: {error:.1e}"


@needs_compiler
@pytest.mark.parametrize("sizes", [(1, 1, 1), (7, 13, 5), (8, 32, 16), (33, 63, 20), (40, 100, 3)])
def test_products_are_those_of_torch(sizes: tuple[int, int, int]) -> None:
    M, N, K = sizes
    generator = torch.Generator().manual_seed(M)
    left, right = (torch.randn(*of, generator=generator) for of in ((2, M, K), (2, K, N)))
    torch.testing.assert_close(products(left, right), torch.bmm(left, right))
    for wrong in (right[:, 1:], right.double()):
        with pytest.raises(ValueError, match=r"products need float32 of \(B, M, K\)"):
            products(left, wrong)


@needs_compiler
@pytest.mark.parametrize("length", [1, 2, 7, 16, 33, 70])
@pytest.mark.parametrize("shape", [QUICK, ODD, GROUPED], ids=["quick", "odd", "grouped"])
def test_losses_and_gradients_are_those_of_the_composed_layers(
    shape: ModelShape, length: int
) -> None:
    assert_gradients_agree(population(["ASM", "SMA", "MMS"], shape, length))


@needs_compiler
@pytest.mark.parametrize(
    "shape",
    [
        replace(QUICK, mlp="swiglu"),
        replace(ODD, mlp="swiglu"),
        replace(ODD, mlp="relu2"),
        ODD_WIDTH,
        replace(GROUPED, num_kv_heads=1, head_dim=5, rotary=False, mamba_groups=4),
        ModelShape(width=128, num_heads=16, mamba_heads=8, mamba_state=4),
    ],
    ids=["swiglu", "odd swiglu", "relu2", "no rotary", "one key head", "mad"],
)
def test_every_kind_of_layer_agrees(shape: ModelShape) -> None:
    assert_gradients_agree(population(["AMS"], shape, 24))


@needs_compiler
@pytest.mark.parametrize(
    "shape", [QUICK, ODD, ODD_WIDTH, GROUPED], ids=["quick", "odd", "odd width", "grouped"]
)
def test_an_auto_encoder_agrees(shape: ModelShape) -> None:
    assert_gradients_agree(population(["ASM", "MMS"], shape, 19, head="auto_encoder"))


@needs_compiler
@pytest.mark.parametrize("bias", [-200.0, 30.0])  # softplus is 0, or linear
def test_extreme_step_sizes_of_mamba_agree(bias: float) -> None:
    models = population(["SM"], ODD, 6)
    with torch.no_grad():
        models.groups[0][0].weights["dt_bias"].fill_(bias)
    inputs, targets = tokens(models)
    wanted = losses(models.logits(inputs), targets).detach()
    torch.testing.assert_close(native(models)(inputs, targets, 0.0), wanted)
    assert bool(gradient_of_step(models, inputs, targets).isfinite().all())


@needs_compiler
@pytest.mark.parametrize("clip", [0.5, None])
@pytest.mark.parametrize("shape", [ODD, GROUPED], ids=["odd", "grouped"])
def test_it_trains_as_torch_does(shape: ModelShape, clip: float | None) -> None:
    """Clipping, decay, moments and their corrections, over several steps at changing rates."""
    ours, theirs = (population(["ASM", "SSA"], shape, 9) for _ in range(2))
    settings = replace(TRAIN, clip=clip)
    steps = native(ours, settings), through_torch(theirs, settings)
    inputs, targets = tokens(ours)
    for number in range(6):
        got, wanted = (step(inputs, targets, 0.01 / (1 + number)) for step in steps)
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    for got, wanted in zip(steps[0].state(6), steps[1].state(6), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-4)


@needs_compiler
@pytest.mark.parametrize("head", ["language_model", "auto_encoder"])
def test_it_scores_as_torch_does(head: HeadKind) -> None:
    models = population(["ASM", "SSA"], ODD, 9, head=head)
    inputs, targets = tokens(models, batch=5)
    losses, guesses = native(models).score(inputs, targets)
    wanted, wanted_guesses = through_torch(models).score(inputs, targets)
    torch.testing.assert_close(losses, wanted.double(), rtol=1e-5, atol=1e-4)
    assert torch.equal(guesses, wanted_guesses)


@needs_compiler
def test_a_model_trains_to_the_same_bits_whoever_trains_beside_it() -> None:
    def train(patterns: list[str]) -> list[float]:
        models = population(patterns, ODD, 9)
        step = native(models)
        inputs, targets = tokens(models)
        for _ in range(4):
            step(inputs, targets, 0.01)
        found: list[float] = step.score(inputs, targets)[0].tolist()
        return found

    together = train(["ASM", "MMM", "SSA", "ASS"])
    alone = [train([pattern])[0] for pattern in ("ASM", "MMM", "SSA", "ASS")]
    assert together == alone


@needs_compiler
def test_threads_change_nothing() -> None:
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            models = population(["ASM", "MMM", "SSA"], ODD, 9)
            step = native(models)
            step(*tokens(models), 0.01)
            found.append(models.flat.detach().clone())
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


@needs_compiler
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("letter", ["A", "M", "S"])
def test_a_model_that_diverges_is_dead_and_nobody_notices(letter: str, bad: float) -> None:
    def step_of(models: Population) -> NativeStep:
        step = native(models, limit=20.0)
        for _ in range(2):
            step(*tokens(models), 0.01)
        return step

    well = population(["ASM", "MSA"], ODD, 9)
    ill = population(["ASM", letter * 3, "MSA"], ODD, 9)
    name = {"A": "in_proj", "M": "out_proj", "S": "conv"}[letter]
    with torch.no_grad():
        for place in ill.places:
            if place.member == 1 and place.slot == 1 and place.name == name:
                ill.flat[place.start] = bad
    step = step_of(ill)
    if bad != bad:
        assert step.alive_P.tolist() == [True, False, True]
    step_of(well)
    kept = [ill.flat[ill.owner == member] for member in (0, 2)]
    for member, own in enumerate(kept):
        assert torch.equal(own, well.flat[well.owner == member])


@needs_compiler
def test_tokens_that_are_not_there_are_refused() -> None:
    models = population(["ASM"], ODD, 9)
    step = native(models)
    inputs, targets = tokens(models)
    with pytest.raises(IndexError, match="vocabulary's size, 40"):
        step(torch.full_like(inputs, 40), targets, 0.1)
    with pytest.raises(IndexError, match="vocabulary"):
        step.score(inputs, torch.full_like(targets, -1))
    for wrong in (inputs[..., :-1], inputs[..., None]):
        with pytest.raises(ValueError, match=r"must be int64 of shape \(P, B, T\) = \(1, B, 9\)"):
            step(wrong, wrong, 0.1)
    with pytest.raises(ValueError, match="got torch.int32"):
        step(inputs.int(), targets.int(), 0.1)


@needs_compiler
@pytest.mark.parametrize(
    ("pattern", "shape", "head"),
    [
        ("A", "WIDE", "auto_encoder"),
        ("MMM", "WIDE", "language_model"),
        ("SA", "ODD", "auto_encoder"),
        ("ASMASMASMASM", "QUICK", "language_model"),
        ("AS", "GROUPED", "language_model"),
    ],
)
def test_as_much_memory_is_taken_as_predicted(pattern: str, shape: str, head: HeadKind) -> None:
    """Of a child: the largest memory that was held is of the whole process."""
    train = replace(TRAIN, batch_size=6, num_eval=100)
    sequence = SequenceShape(40, 50, head)
    code = (
        "import torch, test_native as t\n"
        "torch.set_num_threads(1)\n"
        f"models = t.population(['{pattern}'], t.{shape}, 50, head='{head}')\n"
        "step = t.native(models)\n"
        "step(*t.tokens(models, 6), 0.01)\n"
        "step.score(*t.tokens(models, 24))\n"
        "print(t.native_library().nasarena_most_bytes())"
    )
    model = NativeMemoryModel(globals()[shape], sequence, train, CPU)
    assert model.workspace_bytes([pattern]) == int(_child(code))


@needs_compiler
def test_what_is_kept_is_that_of_the_formula() -> None:
    """Of one MLP layer: two states, and of each sequence scales (T) and hidden values (T x 4 D)."""
    B, T, D = 4, 32, 16
    shape = ModelShape(width=D, num_heads=2, mamba_heads=2, mamba_state=4)
    model = NativeMemoryModel(shape, SequenceShape(11, T), replace(TRAIN, batch_size=B), CPU)
    floats = 2 * B * T * D + B * (T + T * 4 * D)
    assert 4 * floats <= model.activation_bytes("M") <= 4 * (floats + 3 * 32 + 32 * B)


def leave_memory(num_bytes: int) -> None:
    """Let this process, a child of a test, take so much more and no more."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + num_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="limits threads as Linux does")
def test_threads_that_cannot_be_had_are_done_without() -> None:
    """Their stacks do not fit into what memory is left."""
    code = (
        "import torch, test_native as t\n"
        "torch.set_num_threads(16)\n"
        "models = t.population(['ASM'] * 16)\n"
        "step, given = t.native(models), t.tokens(models)\n"
        "t.leave_memory(2**25)\n"
        "print(step(*given, 0.01).isfinite().all().item())"
    )
    assert _child(code).strip() == "True"


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_too_little_memory_is_an_error_and_no_crash() -> None:
    code = (
        "import torch, test_native as t\n"
        "torch.set_num_threads(2)\n"
        "models = t.population(['ASMASMASM'] * 2)\n"
        "step, given = t.native(models), t.tokens(models, 20_000)\n"
        "t.leave_memory(2**30)\n"
        "try:\n"
        "    step(*given, 0.01)\n"
        "except MemoryError as error:\n"
        "    print(error)"
    )
    assert "not enough memory" in _child(code)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names a processor of this kind")
@needs_compiler
def test_narrower_vectors_give_the_same() -> None:
    code = (
        "import test_native as t\n"
        "for shape in (t.QUICK, t.ODD):\n"
        "    t.assert_gradients_agree(t.population(['ASM'], shape, 33))\n"
        "print('agreed')"
    )
    assert "agreed" in _child(code, CXX="c++ -mno-avx512f")


def test_without_a_compiler_torch_trains() -> None:
    """Each compiler in a fork: a process looks for the kernels once."""
    code = (
        "import os, sys, torch\n"
        "from nasarena.proxies.native.library import require_library\n"
        "from nasarena.proxies.training.devices import choose_step\n"
        "def attempt(call):\n"
        "    try: print(call())\n"
        "    except Exception as error: print(error)\n"
        "for compiler in ('no-such-compiler', 'false', chr(39) + 'c++'):\n"
        "    if os.fork(): os.wait(); continue\n"
        "    os.environ['CXX'] = compiler\n"
        "    attempt(lambda: choose_step('auto', torch.device('cpu'), 'float32'))\n"
        "    attempt(require_library)\n"
        "    attempt(lambda: choose_step('native', torch.device('cpu'), 'float32'))\n"
        "    sys.stdout.flush(); os._exit(0)"
    )
    said = _child(code).splitlines()
    assert len(said) == 9
    for kind, words, refusal in zip(said[::3], said[1::3], said[2::3], strict=True):
        assert kind == "eager" and words.endswith("not compiled here: see nasarena doctor")
        assert "proxy.step=native needs a C++ compiler" in refusal


@needs_compiler
def test_a_library_cut_short_is_built_again(tmp_path: Path) -> None:
    code = "from nasarena.proxies.native.library import native_library; print(native_library())"
    kernels = {"NASARENA_KERNELS": str(tmp_path)}
    built = Path(require_library()._name)
    library, whole = tmp_path / built.name, built.read_bytes()
    library.write_bytes(whole[:4096])
    assert "CDLL" in _child(code, **kernels, CXX=" ")  # no name: the usual one
    assert library.read_bytes() == whole


@needs_compiler
def test_what_the_kernels_cannot_do_is_refused_in_one_line() -> None:
    assert choose_step("auto", CPU, "float32") == "native"
    assert choose_step("auto", CPU, "bfloat16") == "eager"
    for device, precision in ((CPU, "bfloat16"), (torch.device("cuda"), "float32")):
        with pytest.raises(InvalidSetting, match="native computes in float32 on a CPU"):
            choose_step("native", device, precision)  # type: ignore[arg-type]


def _child(code: str, **environment: str) -> str:
    found = _run(code, **environment)
    assert found.returncode == 0, found.stderr
    return found.stdout


def _run(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=os.path.dirname(__file__), env=os.environ | environment, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Deterministic algorithms, as in a training."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
