"""The training script, its edits and clocks, and what is said of a script that breaks."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from nasarena.proxies.autoresearch.catalogue import PLAIN_GPT, edit_space, program_space, render
from nasarena.proxies.autoresearch.preset import AutoresearchSettings
from nasarena.proxies.autoresearch.verdict import next_byte_task
from nasarena.proxies.programs.clocks import ModelledClock, StepClock, make_clock
from nasarena.proxies.programs.fork_trial import ForkTask, judge_in_forks
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import TrialSeed

SPACE = edit_space()
TEXT = torch.from_numpy(np.random.default_rng(0).integers(0, 255, 3000).astype(np.uint8))


def _one_edit_lists() -> list[str]:
    """Every value of every choice and the ends of every number, each with what it requires."""
    found = ["default", PLAIN_GPT]
    for edit in SPACE.edits:
        needs = {name: allowed[0] for name, allowed in edit.requires
                 if SPACE.edit(name).default not in allowed}  # fmt: skip
        for value in edit.values or (edit.from_unit(0), edit.from_unit(1)):
            found.append(SPACE.repair({**needs, edit.name: value}))
    return list(dict.fromkeys(found))


def _train(candidate: str, steps: int = 2) -> tuple[Any, str]:
    script: dict[str, Any] = {}
    source = render(candidate)
    exec(source, script)
    torch.manual_seed(0)
    model = script["build_model"](256, 64)
    with make_clock("steps", steps) as clock:
        script["train"](model, TEXT, clock)
    return model, source


def test_every_edit_makes_other_code_that_is_a_program_of_the_task() -> None:
    programs = program_space()
    lists = _one_edit_lists()
    assert len(SPACE.edits) >= 15
    names = {programs.identity(programs.validate(render(one))) for one in lists}
    assert len(names) == len(lists) > 75


def test_the_code_of_an_edit_stands_in_no_other_script() -> None:
    plain = render("default")
    assert "focal" not in plain
    assert "** 0.5 * log_p" in render("loss=focal focal_gamma=0.5")
    assert "class Muon" not in render("optimizer=adamw")


def test_lists_that_cover_all_choices_train_and_look_at_no_later_byte() -> None:
    rows = itertools.zip_longest(*(edit.values or [edit.from_unit(0.5)] for edit in SPACE.edits))
    covering = [
        SPACE.repair({edit.name: value for edit, value in zip(SPACE.edits, row, strict=True)
                      if value is not None})
        for row in rows
    ]  # fmt: skip
    for candidate in [PLAIN_GPT, *covering]:
        model, _ = _train(candidate)
        tokens = torch.randint(256, (2, 64))
        other = tokens.clone()
        other[:, 20:] = 7
        with torch.no_grad():
            before, after = model(tokens), model(other)
        assert torch.isfinite(before).all(), candidate
        torch.testing.assert_close(before[:, :20], after[:, :20], atol=1e-4, rtol=0)
        assert all(weight.grad is not None for weight in model.parameters()), candidate


def test_training_makes_the_script_better_than_chance() -> None:
    model, _ = _train("default", steps=0)
    text = (b"the people of the united states " * 40)[:1025]
    tokens = torch.tensor(list(text))[None]
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(model(tokens[:, :32])[0], tokens[0, 1:33])
    assert float(loss) == pytest.approx(np.log(256), abs=1e-4)  # the head begins at zero


def test_a_clock_of_steps_by_hand() -> None:
    clock, done = StepClock(3), []
    while clock.seconds_left() > 0:
        done.append(clock.progress())
    assert done == pytest.approx([0, 1 / 3, 2 / 3])


def test_the_modelled_clock_counts_products_launches_and_bytes() -> None:
    one, other = torch.ones(30, 40), torch.ones(40, 50)
    with ModelledClock(1.0) as clock:
        clock.seconds_left()
        _ = one @ other
        left = clock.seconds_left()
    # One launch, 2 * 30 * 40 * 50 FLOPs, 30 * 50 numbers of 4 bytes.
    assert 1 - left == pytest.approx(3e-6 + 120_000 / 6e10 + 6000 / 8e9, rel=1e-6)


def test_unmetered_steps_take_what_the_last_metered_one_took() -> None:
    with ModelledClock(1.0) as clock:
        used = []
        for _ in range(8):
            clock.seconds_left()
            used.append(clock.used)
            _ = torch.ones(4) + 1
    assert np.diff(used) == pytest.approx([np.diff(used)[0]] * 7)
    assert used[1] > 0


def _task(windows: int = 8, amount: float = 2.0) -> ForkTask:
    text = TEXT.numpy()
    rows = np.stack([text[33 * i : 33 * i + 33] for i in range(windows)])
    return next_byte_task(text, rows, "steps", amount)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def build_model(v, n): raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("import os\ndef build_model(v, n): os._exit(0)", "ended without a result"),
        ("def build_model(v, n):\n    print('bpb 0.0')\n    return 3", "KeyError: 'train'"),
        (
            "import torch\n"
            "def build_model(v, n): return torch.nn.Embedding(v, 3)\n"
            "def train(model, tokens, clock): pass",
            "logits must be finite and of shape",
        ),
        (
            "import torch\n"
            "def build_model(v, n): return torch.nn.Embedding(v, v)\n"
            "def train(model, tokens, clock): model.weight.data.fill_(float('nan'))",
            "logits must be finite",
        ),
        ("def (", "SyntaxError"),
    ],
)
def test_a_script_that_breaks_has_a_verdict_in_a_line(body: str, said: str) -> None:
    found = judge_in_forks(body, _task(), 0)
    assert (found.status, found.score) == ("failed", None)
    assert said in found.note
    assert "\n" not in found.note


def test_bits_per_byte_of_equal_logits_are_eight() -> None:
    source = (
        "import torch\n"
        "def build_model(v, n):\n"
        "    model = torch.nn.Embedding(v, v)\n"
        "    torch.nn.init.zeros_(model.weight)\n"
        "    return model\n"
        "def train(model, tokens, clock): pass\n"
    )
    assert judge_in_forks(source, _task(), 0).score == pytest.approx(-8.0)


def test_scores_depend_on_seed_and_candidate_alone() -> None:
    settings = AutoresearchSettings(clock="modelled", amount=0.02, windows=8)
    proxy = settings.build(SPACE, "autoresearch")
    seeds = [TrialSeed(0), TrialSeed(1), TrialSeed(0, 1)]
    first = [one.score for one in proxy.evaluate(["depth=1"] * 3, seeds)]
    torch.manual_seed(5)
    again = [one.score for one in proxy.evaluate(["depth=1"] * 2, seeds[1:])]
    assert again == first[1:]
    assert len(set(first)) == 3
    assert proxy.evaluate(["depth=1"], seeds[:1], "held_out")[0].score != first[0]


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="wall or steps in a sandbox"):
        AutoresearchSettings(isolation="sandbox")
    with pytest.raises(InvalidSetting, match="isolation=sandbox"):
        AutoresearchSettings().build(program_space(), "autoresearch")
