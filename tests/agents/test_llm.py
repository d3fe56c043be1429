"""The language model of a comparison, without a server: the embedded agent, records, settings."""

import json
from pathlib import Path
from typing import NoReturn

import pytest

from nasarena.agents.llm import server
from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server import vllm_python
from nasarena.agents.llm.server_command import ServerSettings, command
from nasarena.agents.scribe.card import MODEL_DIR, prompt_options
from nasarena.experiments.commands.cli import main
from nasarena.experiments.comparison import shared_model
from nasarena.experiments.comparison.resolved_searcher import complete_inner, resolve_searcher
from nasarena.experiments.settings.commands import compare_settings, run_settings
from nasarena.experiments.settings.config import SearcherConfig
from nasarena.search.errors import InvalidSetting
from nasarena.search.run_folder import drop_measurements, read_run

SMALL = "run proxy=additive budget=trials budget.amount=10".split()
RUN = [*SMALL, "searcher=agent-sequential"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run_of(name: str, searcher: str = "agent-sequential") -> Path:
    return Path("runs") / name / searcher / "seed-0"


def patterns(path: Path) -> list[str]:
    return [trial.pattern for trial in read_run(path).trials()]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_the_lines_of_a_prompt_are_an_option_that_a_replay_finds_again() -> None:
    assert main([*RUN, "name=x", "searcher.options.lines=3"]) == 0
    run = read_run(run_of("x"))
    assert run.config["searcher"]["options"]["lines"] == 3
    messages = [
        json.loads(path.read_text())["messages"][0]["content"]
        for path in (run.path / "llm").glob("*.json")
        if "messages" in json.loads(path.read_text())
    ]
    assert {text.count("\n") for text in messages} == {3}
    assert main([*RUN, "name=y", "llm=replay", "llm.record=runs/x"]) == 0
    assert patterns(run_of("y")) == patterns(run_of("x"))


def test_the_embedded_agent_runs_replays_and_resumes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "name=x"]) == 0
    run = read_run(run_of("x"))
    assert run.config["searcher"]["options"]["prompt"] == "compact"
    assert run.config["searcher"]["options"]["lines"] == prompt_options()["lines"]
    assert run.config["llm"]["model"] == "scribe" and run.header["llm"]["server"] == "in process"
    end = run.events[-1]
    assert end["llm"]["calls"] == len(list(run.of_kind("llm_call"))) >= 6
    tokens = end["llm"]["prompt_tokens"] + end["llm"]["completion_tokens"]
    assert end["llm"]["flops"] == 2 * run.config["llm"]["active_params"] * tokens
    assert "## Hypotheses" in (run.path / "notebook.md").read_text()

    replay = [*RUN, "name=y", "llm=replay", "llm.record=runs/x"]
    assert main(replay) == 0
    again = read_run(run_of("y"))
    assert drop_measurements(again.events) == drop_measurements(run.events)
    assert again.header["config_hash"] == run.header["config_hash"]
    assert (run_of("y") / "notebook.md").read_bytes() == (run.path / "notebook.md").read_bytes()

    # Cut off after a call that nothing came of yet, and with half a line.
    lines = (run.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    place = [index for index, line in enumerate(lines) if b'"llm_call"' in line][3]
    (run.path / "events.jsonl").write_bytes(b"".join(lines[: place + 1]) + b'{"event":"ask')
    assert "is partial: only a finished run" in refusal(
        capsys, *replay[:-3], "name=z", *replay[-2:]
    )
    assert main([*RUN, "name=x"]) == 0
    assert patterns(run_of("x")) == patterns(run_of("y"))
    assert (run.path / "events.jsonl").read_bytes().startswith(b"".join(lines[: place + 1]))


def test_a_run_whose_search_has_ended_needs_no_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*RUN, "name=x"]) == 0
    file = run_of("x") / "events.jsonl"
    whole = drop_measurements(read_run(run_of("x")).events)
    lines = file.read_bytes().splitlines(keepends=True)

    def cut_before(kind: str) -> None:
        place = next(i for i, line in enumerate(lines) if f'"event":"{kind}"'.encode() in line)
        file.write_bytes(b"".join(lines[:place]))

    def no_model(*given: object) -> NoReturn:
        raise InvalidSetting("a model is asked for")

    monkeypatch.setattr(shared_model, "model_access", no_model)
    cut_before("final")
    assert main([*RUN, "name=x"]) == 0
    assert drop_measurements(read_run(run_of("x")).events) == whole
    cut_before("searched")
    assert "a model is asked for" in refusal(capsys, *RUN, "name=x")


def test_a_replay_that_was_cut_off_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "name=x"]) == 0
    replies = [event["reply"] for event in read_run(run_of("x")).of_kind("llm_call")]
    file = run_of("x") / "llm" / f"{replies[2]}.json"
    whole = file.read_text()
    file.write_text(whole.replace('"stop"', '"length"'))
    replay = [*RUN, "name=y", "llm=replay", "llm.record=runs/x"]
    assert "was changed since it was recorded" in refusal(capsys, *replay)
    assert len(list(read_run(run_of("y")).of_kind("llm_call"))) == 2
    file.write_text(whole)
    assert main(replay) == 0
    both = [drop_measurements(read_run(run_of(name)).events) for name in "xy"]
    assert both[0] == both[1]


def test_hybrids_get_their_classical_half_by_name() -> None:
    inner = "{name:evolution,options:{population:6,tournament:2}}"
    options = [f"searcher.options.inner={inner}", "searcher.options.share=0.5", "name=x"]
    assert main([*SMALL, "searcher=agent-override", *options]) == 0
    run = read_run(run_of("x", "agent-override"))
    recorded = run.config["searcher"]["options"]
    assert recorded["inner"] == {"name": "evolution", "options": {"population": 6, "tournament": 2}}
    origins = {trial.provenance for trial in run.trials()}
    assert {"initial_design", "classical"} < origins


def test_an_inner_searcher_is_checked_and_evolution_by_default() -> None:
    by_default = resolve_searcher(SearcherConfig("agent-override", {})).options["inner"]
    assert by_default == complete_inner("evolution")
    for wrong, words in (("agent-iid", "got the agent"), (3, "must be a classical searcher")):
        with pytest.raises(InvalidSetting, match=words):
            complete_inner(wrong)
    with pytest.raises(InvalidSetting, match="no setting is called 'evolution.options.populaton'"):
        complete_inner({"name": "evolution", "options": {"populaton": 3}})


def test_an_address_alone_chooses_a_server() -> None:
    for read in (compare_settings, run_settings):
        config = read(["llm.base_url=http://localhost:1/v1"])
        assert (config.llm.name, config.llm.settings.model) == ("server", None)
        assert read([]).llm.name == "scribe"
        assert read(["llm=vllm", "llm.model=org/name"]).llm.settings.model == "org/name"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["llm.model=x"], "for another language model choose llm=vllm or llm=server too"),
        (["llm.timeout_s=9"], "'llm.timeout_s' is a setting of llm=server and llm=vllm: choose"),
        (["llm=server", "llm.timeout_s=0"], "llm.timeout_s must be positive"),
        (["llm=server", "llm.patience_s=long"], "llm.patience_s must be a number"),
        (["llm.base_url=localhost:8000"], "llm.base_url must be an address such as http://"),
        (["llm.base_url=http://me:key@host/v1"], "NASARENA_LLM_KEY"),
        (["llm=vllm", "llm.model=./nowhere"], "./nowhere has no config.json"),
        (["llm=vllm", f"llm.model={MODEL_DIR}", "llm.device=tpu"], "llm.device must be one of"),
        (["llm=vllm", "llm.python=/nowhere/python"], "/nowhere/python: not there"),
        (["llm=replay"], "llm=replay needs the folder of a finished comparison"),
        (["llm=replay", "llm.record=."], "so this run cannot be replayed"),
        (["searcher.options.lessons_every=2"], "lessons_every needs prompt=full"),
        (["space.depth=41"], "llm=scribe knows up to 40 layers"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refusal(capsys, *RUN, "name=x", *arguments)


def test_calls_without_a_price_cannot_be_charged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint is asked how large its model is, and not every one can say."""
    from nasarena.agents.llm import constraint_probe as canary
    from nasarena.agents.llm.endpoint import Endpoint, LlmSettings

    def connect(settings: LlmSettings) -> Endpoint:
        return Endpoint(settings, "hosted", "unknown")

    monkeypatch.setattr(canary, "connect", connect)
    charged = ["budget=patterns", "budget.charge_llm=true", "llm.base_url=http://localhost:1/v1"]
    line = refusal(capsys, "run", "proxy=additive", "searcher=agent-sequential", *charged)
    assert "give llm.active_params" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one model is expected"),
        (["a", "b"], "one model is expected"),
        (["./nowhere"], "has no config.json"),
        (["org/name", "port=70000"], "port must be at most 65535, got 70000"),
        (["org/name", "python=/nowhere"], "/nowhere: not there"),
    ],
)
def test_serve_refuses_in_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refusal(capsys, "serve", *arguments)


def test_vllm_is_found_in_the_folder_that_was_built_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make vllm` writes the recipe last: an environment without it is half installed."""
    monkeypatch.delenv("NASARENA_VLLM_PYTHON", raising=False)
    monkeypatch.setattr(server, "__file__", str(tmp_path / "elsewhere/agents/llm/server.py"))
    python = tmp_path / ".venv-vllm" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    with pytest.raises(
        VllmFailed, match="vLLM is not installed: `nasarena serve --install` builds"
    ):
        vllm_python()
    (tmp_path / ".venv-vllm" / "recipe").touch()
    assert vllm_python() == str(python)
    python.unlink()
    with pytest.raises(VllmFailed, match="vLLM is not installed"):
        vllm_python()


def test_each_model_is_constrained_in_the_way_it_can_follow(tmp_path: Path) -> None:
    def backend(model: str) -> str:
        words = command(ServerSettings(model=model, device="cpu"), "python", 1)
        return str(json.loads(words[words.index("--structured-outputs-config") + 1])["backend"])

    assert (backend(str(MODEL_DIR)), backend("org/name")) == ("xgrammar", "guidance")
