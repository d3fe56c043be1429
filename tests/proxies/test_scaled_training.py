"""Training of one cell: its schedule, and that no interruption changes or loses a step."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path

import pytest
import torch

from fakes import full_disk
from nasarena.proxies.data.text_data import ByteText
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.native.library import native_library
from nasarena.proxies.scaled import training
from nasarena.proxies.scaled.cell_folder import StepRecord, read_losses, read_results
from nasarena.proxies.scaled.checkpoint import load_checkpoint
from nasarena.proxies.scaled.engine_choice import choose_engine
from nasarena.proxies.scaled.model import build_model, engine_weights
from nasarena.proxies.scaled.scaled_settings import Budget, ScaledSettings
from nasarena.proxies.scaled.shape import scaled_shape
from nasarena.proxies.scaled.torch_engine import TorchState
from nasarena.proxies.scaled.train_state import train_batch
from nasarena.proxies.scaled.training import Cell, Progress, train_cell
from nasarena.proxies.training.adamw import FlatAdamW
from nasarena.proxies.training.train_step import TrainStep
from nasarena.search.errors import InvalidSetting, NasArenaError, ProxyFailed, RunFolderRefused

CPU = torch.device("cpu")
TASK = ByteText(length=12)
PROXY = ModelShape(width=8, num_heads=2, mamba_heads=2, mamba_state=2)
SETTINGS = ScaledSettings(batch_size=2, warmup_steps=3, num_eval=4)
CELL = Cell("AMS", scaled_shape(PROXY, 256), SETTINGS, 0, TASK)
SMALL, LARGE = 10 * CELL.tokens_per_step, 20 * CELL.tokens_per_step  # 10 and 20 steps
BUDGETS = [SMALL, LARGE]
NUM_STEPS = 16 + 2 + 4  # trunk, and two decays


ENGINES = ["torch"] + (["native"] if native_library() else [])


def train(
    folder: Path, cell: Cell = CELL, budgets: list[int] = BUDGETS, engine: str = "torch"
) -> list[Progress]:
    return list(train_cell(cell, budgets, folder, checkpoint_every=3, engine=engine))


def without_times(folder: Path) -> list[StepRecord]:
    """By part and step: those of a decay may come before or after those of the trunk."""
    steps = [replace(step, tokens_per_s=0.0) for step in read_losses(folder)]
    return sorted(steps, key=lambda step: (step.part, step.step))


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of a cell that was trained at once, by engine."""
    folders = {engine: tmp_path_factory.mktemp(engine) for engine in ENGINES}
    for engine, folder in folders.items():
        train(folder, engine=engine)
    return folders


@pytest.fixture
def undisturbed(at_once: dict[str, Path]) -> Path:
    """The one that was trained through torch."""
    return at_once["torch"]


def assert_one_line(error: pytest.ExceptionInfo[NasArenaError], *words: str) -> None:
    text = str(error.value)
    assert "\n" not in text
    assert all(word in text for word in words), text


def test_rate_rises_stays_and_falls_by_the_root() -> None:
    settings = ScaledSettings(learning_rate=0.1, warmup_steps=4, decay_share=0.25)
    assert [settings.trunk_rate(step) for step in (0, 1, 3, 4, 1000)] == pytest.approx(
        [0.025, 0.05, 0.1, 0.1, 0.1]
    )
    budget = settings.budget(num_tokens=1600, tokens_per_step=100)
    assert budget == Budget(branch=12, steps=16)
    shares = [budget.decay(step) for step in range(12, 16)]
    assert shares == pytest.approx([1.0, 0.5, 1 - sqrt(0.5), 1 - sqrt(0.75)])


def test_records_and_progress_count_every_step_once(tmp_path: Path) -> None:
    progress = train(tmp_path)
    assert [step.num_done for step in progress] == list(range(1, NUM_STEPS + 1))
    assert {step.num_steps for step in progress} == {NUM_STEPS}
    parts = [step.step.part for step in progress]
    assert parts == ["trunk"] * 8 + ["decay-10"] * 2 + ["trunk"] * 8 + ["decay-20"] * 4
    assert [step.step for step in progress] == read_losses(tmp_path)
    decay = [step.step for step in progress if step.step.part == "decay-20"]
    assert [step.tokens for step in decay] == [24 * step for step in (17, 18, 19, 20)]
    assert [step.rate for step in decay] == pytest.approx(
        [3e-3, 1.5e-3, 3e-3 * (1 - sqrt(0.5)), 3e-3 * (1 - sqrt(0.75))]
    )
    results = read_results(tmp_path)
    assert [step.result for step in progress if step.result] == results
    assert [(result.steps, result.tokens) for result in results] == [(10, 240), (20, 480)]
    assert results[0].bits_per_byte == pytest.approx(results[0].loss / 0.6931471805599453)
    assert train(tmp_path) == []  # nothing is missing


def test_it_steps_as_the_proxies_engine_does() -> None:
    """Losses of six steps from the same weights: AdamW, weight decay, clipping, rate."""
    settings = replace(SETTINGS, learning_rate=0.02, weight_decay=0.5, clip=0.5)
    generators = [torch.Generator().manual_seed(0)]
    models = Population(["AMS"], generators, PROXY, 256, 12, "language_model", CPU)
    model = build_model("AMS", scaled_shape(PROXY, 256), seed=0)
    weights = engine_weights(models)
    model.load_state_dict({name: tensor.detach().clone() for name, tensor in weights.items()})
    ours = TorchState(model, settings, CPU, "float32")
    engine = TrainStep(models, FlatAdamW(models, (0.9, 0.95), 0.5, 0.5), limit=100.0)
    for step in range(6):
        batch = train_batch(TASK, 0, step, 2)
        loss, _ = ours.advance(batch, settings.trunk_rate(step))
        tokens = [torch.tensor(part)[None] for part in (batch.inputs, batch.targets)]
        wanted = engine(tokens[0], tokens[1], settings.trunk_rate(step))
        assert loss == pytest.approx(float(wanted), abs=1e-4)


@pytest.mark.skipif(native_library() is None, reason="needs a C++ compiler")
def test_the_kernels_train_as_torch_does(at_once: dict[str, Path]) -> None:
    """Losses of all steps and of held-out text, from the same initial weights."""
    ours, wanted = (read_losses(at_once[engine]) for engine in ("native", "torch"))
    assert [(step.part, step.step) for step in ours] == [(step.part, step.step) for step in wanted]
    assert [step.loss for step in ours] == pytest.approx([s.loss for s in wanted], abs=1e-4)
    scores = [[one.loss for one in read_results(at_once[name])] for name in ("native", "torch")]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_small_models_on_a_cpu_are_trained_by_the_kernels() -> None:
    def chosen(cell: Cell, name: str = "auto", device: str = "cpu") -> str:
        return choose_engine(name, cell.pattern, cell.shape, torch.device(device), "float32")

    assert chosen(CELL) == ENGINES[-1]
    assert chosen(CELL, "torch") == "torch"
    assert chosen(CELL, device="cuda") == "torch"
    large = replace(CELL, shape=replace(CELL.shape, width=1024, mlp_hidden=8192, mamba_heads=256))
    assert chosen(replace(large, pattern="M")) == ENGINES[-1]  # 17 million
    assert chosen(replace(large, pattern="MM")) == "torch"
    other = replace(CELL, shape=replace(CELL.shape, norm_eps=1e-6))
    assert chosen(other) == "torch"
    with pytest.raises(InvalidSetting, match="use engine=torch"):
        chosen(other, "native")
    with pytest.raises(InvalidSetting, match="engine must be auto, native or torch, got 'tpu'"):
        chosen(CELL, "tpu")


def test_windows_depend_on_seed_and_step_alone() -> None:
    first = train_batch(TASK, 0, 5, 2).inputs
    assert (first == train_batch(TASK, 0, 5, 2).inputs).all()
    assert not (first == train_batch(TASK, 0, 6, 2).inputs).all()
    assert not (first == train_batch(TASK, 1, 5, 2).inputs).all()


def test_a_step_in_parts_is_the_step_at_once(tmp_path: Path, undisturbed: Path) -> None:
    cell = replace(CELL, settings=replace(SETTINGS, micro_batch=1))
    train(tmp_path, cell)
    pairs = zip(read_losses(tmp_path), read_losses(undisturbed), strict=True)
    assert all(part.loss == pytest.approx(whole.loss, abs=1e-5) for part, whole in pairs)


def test_products_in_bfloat16_train_about_as_well(tmp_path: Path) -> None:
    """What a GPU does, on the CPU: more than a chunk of positions, weights kept in float32."""
    cell = replace(CELL, shape=replace(CELL.shape, mamba_groups=2), task=ByteText(length=70))
    budget = [10 * cell.tokens_per_step]
    losses = []
    for precision in ("float32", "bfloat16"):
        folder = tmp_path / precision
        steps = list(train_cell(cell, budget, folder, precision=precision, engine="torch"))
        losses.append([step.step.loss for step in steps])
        saved = load_checkpoint(folder / "final-10.safetensors")
        assert {tensor.dtype for tensor in saved.tensors.values()} == {torch.float32}
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_a_budget_costs_the_same_beside_others_and_alone(tmp_path: Path, undisturbed: Path) -> None:
    """The smaller one is asked for afterwards, when the trunk is past its branch."""
    large = train(tmp_path, budgets=[LARGE])[-1].result
    small = train(tmp_path, budgets=BUDGETS)[-1].result
    assert [small, large] == read_results(undisturbed)


def test_a_kill_changes_no_loss_by_a_bit(tmp_path: Path, undisturbed: Path) -> None:
    """Another process trains and is killed; this one has another state of torch's generator."""
    script = (
        "import sys; from pathlib import Path\n"
        "sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]).parent)]  # and fakes.py\n"
        "import test_scaled_training as own\n"
        "own.train(Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        losses = tmp_path / "losses.jsonl"
        while child.poll() is None and (
            not losses.exists() or losses.read_bytes().count(b"\n") < 9
        ):
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    torch.manual_seed(99)
    train(tmp_path)
    assert without_times(tmp_path) == without_times(undisturbed)
    assert read_results(tmp_path) == read_results(undisturbed)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("num_steps", [3, 7, 9, 12, 21])  # in each part, before and after a save
def test_stops_at_any_step_change_nothing(
    num_steps: int, engine: str, tmp_path: Path, at_once: dict[str, Path]
) -> None:
    undisturbed = at_once[engine]
    stopped = train_cell(CELL, BUDGETS, tmp_path, checkpoint_every=3, engine=engine)
    for _ in range(num_steps):
        next(stopped)
    stopped.close()
    with open(tmp_path / "losses.jsonl", "a") as log:
        log.write('{"part":"tr')  # as a kill may leave it
    (tmp_path / ".trunk.safetensors.0a.draft").touch()
    left = train(tmp_path, engine=engine)
    assert left[-1].share == 1
    # At most the steps since the newest checkpoint are trained again.
    assert len(left) <= NUM_STEPS - num_steps + 3
    assert without_times(tmp_path) == without_times(undisturbed)
    assert read_results(tmp_path) == read_results(undisturbed)
    assert not list(tmp_path.glob("*.draft")) and not list(tmp_path.glob("decay*"))


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A cell that has trained 10 steps: the small budget is finished."""
    train(tmp_path, budgets=[SMALL])
    return tmp_path


@pytest.mark.parametrize("damage", ["torn", "empty", "flipped"])
def test_a_damaged_checkpoint_is_refused(damage: str, half: Path) -> None:
    file = half / "trunk.safetensors"
    content = file.read_bytes()
    wrong = {
        "torn": content[:-100],
        "empty": b"",
        "flipped": content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
    }
    file.write_bytes(wrong[damage])
    with pytest.raises(ProxyFailed) as error:
        train(half)
    assert_one_line(error, "trunk.safetensors is no whole checkpoint", "remove it")
    assert file.read_bytes() == wrong[damage]
    file.unlink()
    assert train(half)[-1].share == 1


def test_a_folder_of_other_settings_or_code_is_refused(
    half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file: file.read_bytes() for file in half.iterdir()}
    others = {
        "settings.learning_rate must be that": replace(
            CELL, settings=replace(SETTINGS, learning_rate=0.1)
        ),
        "seed must be that": replace(CELL, seed=1),
        "shape.norm_eps must be that": replace(CELL, shape=replace(CELL.shape, norm_eps=0.1)),
    }
    for words, other in others.items():
        with pytest.raises(InvalidSetting) as error:
            train(half, other)
        assert_one_line(error, words, "name another folder")
    monkeypatch.setattr(training, "code_hash", lambda name: "other")
    with pytest.raises(InvalidSetting) as error:
        train(half)
    assert_one_line(error, "code must be that", "got other")
    assert {file: file.read_bytes() for file in half.iterdir()} == before


def test_a_strange_checkpoint_in_the_right_folder_is_refused(half: Path, tmp_path: Path) -> None:
    train(tmp_path / "other", replace(CELL, seed=1), [SMALL])
    (half / "trunk.safetensors").write_bytes((tmp_path / "other/trunk.safetensors").read_bytes())
    with pytest.raises(InvalidSetting) as error:
        train(half)
    assert_one_line(error, "seed must be that", "trunk.safetensors")


def test_a_full_disk_keeps_the_checkpoint_before(half: Path, undisturbed: Path) -> None:
    before = (half / "trunk.safetensors").read_bytes()
    with full_disk(len(before) // 2), pytest.raises(ProxyFailed) as error:
        train(half)
    assert_one_line(error, "cannot write", "trunk.safetensors", "when there is room")
    assert (half / "trunk.safetensors").read_bytes() == before
    with full_disk(0), pytest.raises(ProxyFailed) as error:
        train(half)
    assert_one_line(error, "cannot write to", "when there is room")
    train(half)
    assert without_times(half) == without_times(undisturbed)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loss_that_diverges_is_said_and_keeps_what_was_there(engine: str, tmp_path: Path) -> None:
    cell = replace(CELL, settings=replace(SETTINGS, learning_rate=1e4, warmup_steps=6, clip=None))
    found = []
    for _ in range(2):  # and again from the checkpoint
        with pytest.raises(ProxyFailed) as error:
            train(tmp_path, cell, engine=engine)
        assert_one_line(error, "the loss of AMS must stay below", "at step", "learning_rate")
        found.append(str(error.value))
    assert found[0] == found[1]
    assert read_losses(tmp_path) and read_results(tmp_path) == []


def test_two_processes_never_train_in_one_folder(tmp_path: Path) -> None:
    first = train_cell(CELL, BUDGETS, tmp_path)
    next(first)
    with pytest.raises(RunFolderRefused, match="is being written by another process"):
        train(tmp_path)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda: replace(CELL, shape=replace(CELL.shape, vocab_size=512)),
         "vocab_size must be that of the tokens, 256, got 512"),
        (lambda: CELL.budgets([3 * CELL.tokens_per_step]),
         "a budget must have more steps than warm-up (3) and decay (0.2 of all), got 72 tokens, "
         "3 steps of 24"),
        (lambda: ScaledSettings(batch_size=4, micro_batch=3),
         "micro_batch must divide batch_size 4, got 3"),
        (lambda: replace(CELL, task=replace_head()),
         "task must be language modelling, got squeeze"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_in_one_line(
    action: Callable[[], object], words: str
) -> None:
    with pytest.raises(InvalidSetting) as error:
        action()
    assert_one_line(error, words)


def replace_head() -> ByteText:
    class Squeeze(ByteText):
        name, head = "squeeze", "auto_encoder"

    return Squeeze(length=12)
