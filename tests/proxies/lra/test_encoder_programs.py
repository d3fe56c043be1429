"""Encoders as whole programs: scored in a sandbox as in forks, and no trick is believed."""

from dataclasses import replace

import numpy as np
import pytest

from nasarena.proxies.lra import tasks
from nasarena.proxies.lra.catalogue import BASELINES, edit_space, render
from nasarena.proxies.lra.preset import LraSettings
from nasarena.proxies.lra.programs import frame_of, label_task, program_space
from nasarena.proxies.lra.proxy import EncoderProxy
from nasarena.proxies.programs.exams import LabelledRows, draw_exam
from nasarena.proxies.sandbox.levels import why_missing
from nasarena.search.errors import InvalidPattern, InvalidSetting
from nasarena.search.proxy import TrialSeed
from nasarena.search.trial import Outcome

TASK = "lra-listops"
GIVEN = render("default", TASK, size="tiny")
sandboxed = pytest.mark.skipif(bool(why_missing("landlock")), reason=why_missing("landlock"))


def _proxy(variant: str = "fixed", clock: str = "steps", amount: float = 3) -> EncoderProxy:
    settings = LraSettings(variant=variant, clock=clock, amount=amount, size="tiny")  # type: ignore[arg-type]
    return settings.build(program_space(TASK, variant, "tiny"), TASK)  # type: ignore[arg-type]


def _judge(source: str, variant: str = "fixed") -> Outcome:
    return _proxy(variant).evaluate([source], [TrialSeed(0)])[0]


@sandboxed
def test_a_program_in_the_sandbox_has_the_score_of_its_edits_in_forks() -> None:
    candidate = "mixer=ssm pooling=mean"
    settings = LraSettings(clock="steps", amount=3, size="tiny")
    in_forks = settings.build(edit_space(TASK, "fixed", "tiny"), TASK)
    proxy = _proxy()
    source = render(candidate, TASK, size="tiny")
    seed = 5
    one = in_forks.judge(candidate, seed, 0, "held_out")
    other = proxy.judge(source, seed, 0, "held_out")
    assert one.status == other.status == "ok", (one, other)
    assert other.score == one.score
    assert other.metrics["loss"] == pytest.approx(one.metrics["loss"], rel=1e-4)
    assert proxy.judge(source, seed + 1, 0, "held_out").metrics["loss"] != other.metrics["loss"]


def test_programs_are_the_baselines_and_what_edits_make_of_them() -> None:
    space = program_space(TASK)
    assert list(space.known_candidates()) == list(BASELINES)
    rng = np.random.default_rng(0)
    for _ in range(5):
        program = space.sample(rng)
        edits = space.list_of(program)
        assert edits is not None and program == render(edits, TASK)
        assert space.list_of(space.mutate(program, rng)) in edit_space(TASK)
    with pytest.raises(InvalidPattern, match=r"must define def build\(config\)"):
        space.validate("import torch\n")


_WRAPPED = """
given_build = build
class Wrapped(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.encoder = given_build(config)
"""
TRICKS = {
    "a larger model": (
        "    encoder.more = nn.Linear(60, 60)\n    return encoder\n",
        "ValueError: 31670 parameters and buffers, more than the 30811 allowed",
    ),
    "a model that grows": (
        _WRAPPED
        + """
    def forward(self, x, mask):
        self.register_buffer("more", torch.zeros(60, 60), persistent=True)
        return self.encoder(x, mask)
def build(config): return Wrapped(config)
""",
        "more than the 30811 allowed",
    ),
    "a look at the other examples": (
        _WRAPPED
        + """
    def forward(self, x, mask):
        y = self.encoder(x, mask)
        return y + y.mean(0)
def build(config): return Wrapped(config)
""",
        "depend on other examples",
    ),
    "vectors of another width": (
        _WRAPPED
        + """
    def forward(self, x, mask): return self.encoder(x, mask)[:, :8]
def build(config): return Wrapped(config)
""",
        "ValueError: an encoder must give [batch, 32], got [32, 8]",
    ),
    "an error with its place": (
        _WRAPPED
        + """
    def forward(self, x, mask): raise KeyError("lost")
def build(config): return Wrapped(config)
""",
        "KeyError: 'lost' (line ",
    ),
    "the frame by its names": (
        _WRAPPED + "def build(config): return _SETTINGS\n",
        "NameError: name '_SETTINGS' is not defined",
    ),
}


@sandboxed
@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_a_failure_with_its_cause(name: str) -> None:
    more, said = TRICKS[name]
    source = GIVEN + more if more.startswith("\n") else GIVEN.replace("    return encoder\n", more)
    assert source != GIVEN
    found = _judge(source)
    assert (found.status, found.score) == ("failed", None), found
    assert said in found.note, found
    assert "\n" not in found.note


@sandboxed
def test_sizes_are_free_in_the_configurable_variant() -> None:
    more, _ = TRICKS["a larger model"]
    found = _judge(GIVEN.replace("    return encoder\n", more), "configurable")
    assert found.status == "ok", found
    assert found.metrics["num_parameters"] == 28010 + 60 * 60 + 60


@pytest.mark.parametrize(("variant", "rate"), [("fixed", 0.002), ("configurable", 0.5)])
def test_settings_of_a_program_count_where_they_are_free(variant: str, rate: float) -> None:
    names = {"build": None, "SETTINGS": {"rate": 0.5, "unknown": 1}}
    exec(frame_of(TASK, variant, "tiny"), names)  # type: ignore[arg-type]
    settings = names["_SETTINGS"]
    assert isinstance(settings, dict)
    assert settings["rate"] == rate and "unknown" not in settings


def test_a_program_gets_no_label_but_those_of_its_training() -> None:
    data = tasks.load_data(TASK, "tiny", None)
    task = label_task("x", data, "held_out", "", 48, 10)
    assert task.train.tobytes() == data.splits["train"].rows().tobytes()
    exam = draw_exam(task)
    assert (exam.inputs == data.splits["held_out"].inputs).all()
    assert (exam.inputs[exam.order] == exam.twins).all()  # type: ignore[attr-defined]
    assert (exam.twins != draw_exam(task).twins).any(), "another order each time"
    assert len(draw_exam(replace(task, num_windows=8)).inputs) == 8


def test_labelled_rows_by_hand() -> None:
    inputs = np.arange(3)[:, None]
    exam = LabelledRows(inputs, np.array([0, 1, 0]), np.array([2, 0, 1]), (2,))
    answers = np.log(np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5]]))
    score, metrics = exam.mark(answers)
    assert score == metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["loss"] == pytest.approx(-np.log([0.9, 0.4, 0.5]).mean())
    assert exam.difference(answers, answers[[2, 0, 1]]) == 0
    assert exam.difference(answers, answers) == pytest.approx(np.log(0.5 / 0.1))


def test_a_modelled_clock_is_refused_in_a_line() -> None:
    with pytest.raises(InvalidSetting, match="clock is wall or steps"):
        _proxy(clock="modelled")
