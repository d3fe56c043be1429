"""The trainer against torch's own optimizer, and what it does with models that diverge."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.proxies.data.task import IGNORE, Batch, TaskSplit
from nasarena.proxies.models.model_shape import ModelShape
from nasarena.proxies.models.population import Population
from nasarena.proxies.training.tally import Scored
from nasarena.proxies.training.train_settings import TrainSettings
from nasarena.proxies.training.trainer import train_and_score
from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stream

CPU = torch.device("cpu")
SHAPE = ModelShape(width=8, num_heads=2, mamba_heads=2, mamba_state=4)
SETTINGS = TrainSettings(steps=6, batch_size=3, num_eval=10, learning_rate=0.02, warmup_steps=2)


class Successor:
    """Each token is one more than the last, modulo 5, from a random start; IGNORE first."""

    name, fingerprint, vocab_size, length = "successor", "successor-5", 5, 6
    head = "language_model"
    num_train = 0

    def sample(self, run_seed: int, split: TaskSplit, num_examples: int) -> Batch:
        starts = stream(run_seed, "data", split).integers(5, size=(num_examples, 1))
        tokens = (starts + np.arange(self.length + 1)) % 5
        targets = tokens[:, 1:].copy()
        targets[:, 0] = IGNORE
        return Batch(tokens[:, :-1], targets)


def population(patterns: list[str], seeds: list[int] | None = None) -> Population:
    seeds = seeds or list(range(len(patterns)))
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return Population(patterns, generators, SHAPE, 5, 6, "language_model", CPU)


def train(models: Population, settings: TrainSettings = SETTINGS) -> list[Scored]:
    return train_and_score(models, Successor(), [0] * models.size, settings, "search", CPU)


def loss_of(models: Population, batch: Batch) -> Tensor:
    logits = models.logits(torch.from_numpy(batch.inputs)[None])
    targets = torch.from_numpy(batch.targets).flatten()
    return F.cross_entropy(logits.flatten(0, 2), targets, ignore_index=IGNORE)


@pytest.mark.parametrize(
    ("weight_decay", "beta2", "clip"), [(0.0, 0.95, 0.5), (0.1, 0.95, 0.5), (0.0, 0.999, None)]
)
def test_training_is_torchs_adamw(weight_decay: float, beta2: float, clip: float | None) -> None:
    settings = TrainSettings(
        steps=6, batch_size=3, num_eval=10, learning_rate=0.02, warmup_steps=2,
        weight_decay=weight_decay, beta2=beta2, clip=clip,
    )  # fmt: skip
    ours, theirs = population(["AMS"]), population(["AMS"])
    scored = train(ours, settings)[0]
    matrices = [leaf for leaf in theirs.leaves if leaf.ndim == 3]  # the members come first
    vectors = [leaf for leaf in theirs.leaves if leaf.ndim == 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        betas=(0.9, beta2),
    )
    data = Successor().sample(0, "train", 18)
    for step in range(6):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate(step)
        part = slice(3 * step, 3 * step + 3)
        optimizer.zero_grad()
        loss_of(theirs, Batch(data.inputs[part], data.targets[part])).backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(theirs.leaves, clip)
        optimizer.step()
    for got, wanted in zip(ours.leaves, theirs.leaves, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    wanted_loss = loss_of(theirs, Successor().sample(0, "search", 10)).item()
    assert scored.loss == pytest.approx(wanted_loss, rel=1e-4)


def test_a_model_learns_what_can_be_learned() -> None:
    settings = TrainSettings(steps=80, batch_size=8, num_eval=20, learning_rate=0.02)
    scored = train(population(["M", "A", "S"]), settings)
    assert all(part.loss < 0.1 and part.accuracy > 0.99 and not part.failure for part in scored)


FROZEN = TrainSettings(steps=1, batch_size=3, num_eval=10, learning_rate=1e-12)


def opinionated(logit: float) -> Population:
    """A model that gives token 3 this logit, whatever it reads, and the four others 0."""
    models = population(["M"])
    with torch.no_grad():
        for leaf in models.leaves:
            leaf.zero_()
        models.ends["final_norm"].fill_(1.0)
        models.ends["embedding"].fill_(1.0)
        models.ends["head"][0, :, 3] = logit / 8
    return models


def test_accuracy_and_loss_by_hand() -> None:
    """Before any step that counts: a model that always says 3 is right for one target in five."""
    scored = train(opinionated(math.log(4)), replace(FROZEN, num_eval=500))[0]
    targets = Successor().sample(0, "search", 500).targets[:, 1:]
    is_three = float((targets == 3).mean())
    assert scored.accuracy == pytest.approx(is_three)
    assert scored.loss == pytest.approx(math.log(8) - is_three * math.log(4), rel=1e-5)


def test_a_model_that_diverges_is_reported_and_the_others_do_not_notice() -> None:
    patterns = ["AMS", "SMA", "MMM"]
    wanted = train(population(patterns))
    broken = population(patterns)
    with torch.no_grad():
        broken.ends["head"][1] *= 1e6
    got = train(broken)
    assert got[1].failure.startswith("diverged: training loss") and "step 1" in got[1].failure
    for member in (0, 2):
        assert got[member] == wanted[member]


@pytest.mark.parametrize(("share_of_limit", "fails"), [(0.99, False), (1.01, True)])
def test_a_loss_above_four_times_that_of_a_guess_is_a_divergence(
    share_of_limit: float, fails: bool
) -> None:
    """A model that rules 3 out loses log 4 for each target, and its logit where 3 is right."""
    targets = Successor().sample(0, "train", 3).targets[:, 1:]
    loss = share_of_limit * 4 * math.log(5)
    logit = (math.log(4) - loss) / float((targets == 3).mean())
    (scored,) = train(opinionated(logit), FROZEN)
    assert scored.failure == (f"diverged: training loss {loss:.4g} at step 1" if fails else "")


def test_a_model_of_nan_fails_and_stays_masked() -> None:
    models = population(["AMS", "SMA"])
    with torch.no_grad():
        models.ends["embedding"][0] = float("nan")
    kept = models.flat[models.owner == 0].clone()
    scored = train(models)
    assert "nan" in scored[0].failure and not scored[1].failure
    torch.testing.assert_close(models.flat[models.owner == 0], kept, equal_nan=True, rtol=0, atol=0)


def test_all_diverged_ends_early_with_a_reason_each() -> None:
    models = population(["AMS"])
    with torch.no_grad():
        models.ends["embedding"].fill_(float("nan"))
    (scored,) = train(models)
    assert scored.failure == "diverged: training loss nan at step 1"


@pytest.mark.parametrize("size", [2, 7])
def test_scores_do_not_depend_on_the_population(size: int) -> None:
    patterns = ["AMSM", "SSAM", "MMMM", "AAAA", "SSSS", "MSMA", "SAMS"][:size]
    settings = TrainSettings(steps=25, batch_size=4, num_eval=32, learning_rate=5e-3)
    together = train(population(patterns), settings)
    for member, pattern in enumerate(patterns):
        (alone,) = train(population([pattern], [member]), settings)
        assert alone.loss == pytest.approx(together[member].loss, abs=1e-6)


def test_the_same_training_twice_is_the_same_to_the_last_bit() -> None:
    assert train(population(["ASM", "MSA"])) == train(population(["ASM", "MSA"]))


def test_epochs_repeat_the_training_set_in_new_order() -> None:
    """With 4 sequences and 3 epochs, other data would give another result, more of them too."""
    base = {"steps": 6, "batch_size": 2, "num_eval": 10, "learning_rate": 0.02}
    few, all_new = TrainSettings(num_train=4, **base), TrainSettings(**base)
    assert train(population(["S"]), few) == train(population(["S"]), few)
    assert train(population(["S"]), few) != train(population(["S"]), all_new)


def test_learning_rate_warms_up_and_falls() -> None:
    linear = TrainSettings(steps=12, warmup_steps=2, learning_rate=1.0)
    assert [linear.rate(step) for step in (0, 1, 2, 7, 12)] == pytest.approx([0.5, 1, 1, 0.5, 0])
    cosine = TrainSettings(
        steps=12, warmup_steps=2, learning_rate=1.0, schedule="cosine", final_fraction=0.1
    )
    assert [cosine.rate(step) for step in (2, 7, 12)] == pytest.approx([1, 0.55, 0.1])


def test_contradictory_settings_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="steps must be positive, got 0"):
        TrainSettings(steps=0)
    with pytest.raises(InvalidSetting, match="num_train must be 0 or at least batch_size 8, got 4"):
        TrainSettings(num_train=4, batch_size=8)
    with pytest.raises(InvalidSetting, match="warmup_steps must be at least 0, got -1"):
        TrainSettings(warmup_steps=-1)
    with pytest.raises(InvalidSetting, match="schedule must be one of linear, cosine, got 'foo'"):
        TrainSettings(schedule="foo")  # type: ignore[arg-type]
