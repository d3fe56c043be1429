"""A proxy of somebody else's: by file, by entry point, and held against the contract."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeProxy, agreement
from nasarena.experiments.commands.cli import main
from nasarena.experiments.settings import registry
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.proxies.contract import BrokenContract, check_proxy
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import Proxy, Split, TrialSeed
from nasarena.search.run_folder import read_run
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Cost, Outcome

FILE = '''
from nasarena.proxies.landscapes import additive


def my_proxy(space, noise: float = 0.1):
    """The additive landscape under another name."""
    return additive(space, noise=noise)


def raising(space):
    proxy = additive(space)
    proxy.evaluate = None
    return proxy
'''
RUN = "space.depth=4 seeds=1 budget=trials budget.amount=5 references=false report=false workers=1"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FILE)
    return "mine.py:my_proxy"


def test_a_proxy_of_a_file_runs_a_comparison_with_its_own_options(
    place: str, tmp_path: Path
) -> None:
    settings = [*RUN.split(), f"proxy={place}", "searchers=[random]", "name=x"]
    assert main(["compare", *settings, "proxy.noise=0"]) == 0
    run = read_run(tmp_path / "runs" / "x" / "random" / "seed-0")
    assert run.state == "finished" and run.config["proxy"]["options"] == {"noise": 0.0}
    with pytest.raises(InvalidSetting, match="nois"):
        evaluate_settings([f"proxy={place}", "proxy.nois=1"])
    for wrong, words in {"mine.py:other": "has no 'other'", "no.py:x": "no proxy file"}.items():
        with pytest.raises(InvalidSetting, match=words):
            evaluate_settings([f"proxy={wrong}"])


def test_a_proxy_of_an_installed_package_goes_by_its_name(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    group = registry.ENTRY_POINT_GROUPS["proxy"]
    entries = [
        EntryPoint("ours", "mine:my_proxy", group),
        EntryPoint("broken", "mine:missing", group),
        EntryPoint("quick", "mine:my_proxy", group),
    ]
    monkeypatch.setattr(
        registry, "entry_points", lambda group: [one for one in entries if one.group == group]
    )
    settings = evaluate_settings(["proxy=ours", "space.depth=4", "proxy.noise=0.2"])
    proxy = settings.proxy.settings.build(settings.space, settings.proxy.name)
    check_proxy(proxy)
    with pytest.raises(InvalidSetting, match="'broken' of an installed package .* cannot be load"):
        evaluate_settings(["proxy=broken"])
    # A name of ours is never taken over.
    assert type(evaluate_settings(["proxy=quick"]).proxy.settings).__name__ == "TextProxySettings"


def test_check_puts_the_contract_to_it(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"proxy={place}", "space.depth=4"]) == 0
    said = capsys.readouterr().out
    assert "5 of 5 passed" in said and "scores by run seed, replicate and split" in said
    assert main(["check", f"proxy={place}", "space.depth=4", "proxy.noise=0"]) == 0
    assert "has no noise" in capsys.readouterr().out
    assert main(["check", "proxy=mine.py:raising", "space.depth=4"]) == 1
    said = capsys.readouterr().out
    assert "TypeError: 'NoneType' object is not callable" in said and "1 of 5 passed" in said


class Altered(FakeProxy):
    """A good proxy but for what `alter` makes of its outcomes; `calls` counts what it was asked."""

    def __init__(self, alter: Callable[["Altered", list[Outcome]], list[Outcome]]) -> None:
        cost = Cost(flops=10, tokens=10, device_seconds=0.1)
        score = agreement("AMSA", noise=0.1)
        super().__init__(PatternSpace("AMS", 4), score, cost=lambda pattern: cost)
        self._alter = alter

    def evaluate(
        self, patterns: Sequence[str], seeds: Sequence[TrialSeed], split: Split = "search"
    ) -> list[Outcome]:
        return self._alter(self, super().evaluate(patterns, seeds, split))


def with_all(**values: Any) -> Callable[[Altered, list[Outcome]], list[Outcome]]:
    return lambda proxy, outcomes: [replace(outcome, **values) for outcome in outcomes]


def drift(proxy: Altered, outcomes: list[Outcome]) -> list[Outcome]:
    return [replace(one, score=(one.score or 0) + 0.01 * len(proxy.calls)) for one in outcomes]


BROKEN = {
    "one outcome too few": (lambda proxy, outcomes: outcomes[1:], "4 answered"),
    "above its range": (with_all(score=99.0), "scores 99.0, outside"),
    "no metric": (with_all(metrics={}), "lack accuracy"),
    "another cost": (with_all(cost=Cost(1, 1, 0.1)), "the cost of .* varies"),
    "a clock that runs backwards": (with_all(measured_s=-1.0), "measured_s is -1.0"),
    "all fail": (with_all(status="failed", score=None, note="x"), "not one pattern"),
    "something of nothing": (lambda proxy, outcomes: outcomes or [None], "no patterns must give"),
    "impure": (drift, "asked twice, it answers"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_contract_sees(fault: str) -> None:
    alter, words = BROKEN[fault]
    with pytest.raises(BrokenContract, match=words) as broken:
        check_proxy(Altered(alter))
    assert len(str(broken.value).splitlines()) == 1


def test_the_contract_sees_frozen_noise_that_is_none_and_wrong_declarations() -> None:
    good = Altered(lambda proxy, outcomes: outcomes)
    check_proxy(good)
    still = FakeProxy(good.space, agreement("AMSA"), cost=good.cost)
    check_proxy(still, noisy=False)
    with pytest.raises(BrokenContract, match="another run seed gives the same scores"):
        check_proxy(still)
    with pytest.raises(BrokenContract, match="though it is no noise"):
        check_proxy(good, noisy=False)
    for name, value, words in (
        ("direction", "up", "max or min"), ("metric", "", "metric must not be empty"),
        ("score_range", (1.0, 0.0), "score_range"), ("abilities", None, "must be Abilities"),
    ):  # fmt: skip
        proxy: Proxy = Altered(lambda proxy, outcomes: outcomes)
        setattr(proxy, name, value)
        with pytest.raises(BrokenContract, match=words):
            check_proxy(proxy)
    free = FakeProxy(good.space, agreement("AMSA"))
    with pytest.raises(BrokenContract, match="must be positive"):
        check_proxy(free)
