"""The study of prompts: what its table says of runs whose model is known by heart."""

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from nasarena.experiments.execution.inline_pool import InlinePool
from nasarena.experiments.measure import prompts
from nasarena.experiments.measure.faults.chat_server import serve
from nasarena.experiments.measure.prompts import DESIGN, FORMS, NUM_PROPOSALS, row, run_forms
from nasarena.experiments.measure.searchers.searcher_settings import build_landscape
from nasarena.proxies.patternbench.suite import SUITE
from nasarena.search.notation import run_lengths
from nasarena.search.run_folder import read_run
from nasarena.search.space import PatternSpace

SPACE = PatternSpace()
BLOCK = ("additive", 0)
NAMES = ("brief", "run-lengths", "example")


def model(messages: list[dict[str, str]], seed: int) -> str:
    """A new pattern each time; run lengths add up at the second try, and an example is too much."""
    if "For example" in messages[0]["content"]:
        return "no idea"
    pattern = SPACE.sample(np.random.default_rng(seed))
    if "run lengths" in messages[0]["content"]:
        pattern = run_lengths(pattern) if len(messages) > 2 else "3A2M"
    return json.dumps({"pattern": pattern})


def test_the_table_says_what_the_runs_hold_and_they_are_not_done_again(tmp_path: Path) -> None:
    with serve(model) as server:
        llm = {"base_url": server.url}
        configs = [prompts.settings(NAMES, BLOCK, tmp_path, llm)]
        run_forms(configs, tmp_path, Console(quiet=True), InlinePool())
        asked = len(server.bodies)
        run_forms(configs, tmp_path, Console(quiet=True), InlinePool())
        assert len(server.bodies) == asked
    brief, runs, none = (row(name, [BLOCK], tmp_path) for name in NAMES)
    assert (none["valid"], none["proposals"], none["tokens_read"]) == (0, None, 400)
    assert read_run(tmp_path / "additive-0" / "example" / "seed-0").state == "failed"
    assert (brief["valid"], brief["repaired"], brief["duplicates"]) == (1, 0, 0)
    assert (runs["valid"], runs["repaired"]) == (1, 1)
    assert (brief["tokens_read"], runs["tokens_read"]) == (100, 200)
    assert (brief["tokens_written"], runs["tokens_written"]) == (20, 40)

    landscape, unit = build_landscape(*BLOCK, DESIGN + NUM_PROPOSALS)
    trials = read_run(tmp_path / "additive-0" / "brief" / "seed-0").trials()
    assert len(trials) == DESIGN + NUM_PROPOSALS
    scores = [landscape.true_score(trial.pattern) for trial in trials[DESIGN:]]
    assert brief["proposals"] == pytest.approx(np.mean(scores))
    best = max(trials, key=lambda trial: trial.score or 0.0)
    assert brief["regret"] == pytest.approx(landscape.regret(best.pattern) / unit)


def test_every_form_changes_something_and_is_accepted_on_landscapes_that_judge_nobody(
    tmp_path: Path,
) -> None:
    config = prompts.settings(tuple(FORMS), BLOCK, tmp_path, {"name": "scribe"})
    options = [json.dumps(one.options, sort_keys=True) for one in config.searchers]
    assert len(set(options)) == len(FORMS) == len(config.searchers)
    assert not any(form.items() & prompts.BASE.items() for form in FORMS.values())
    assert not {*prompts.FAMILIES} & {*SUITE}


def test_an_unknown_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no form is called 'breif'; there are brief, "):
        prompts.main(["breif"])
