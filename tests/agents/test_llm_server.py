"""Agents on a real vLLM server with a tiny random model: it knows nothing, so only constraints,
record and patience can make its runs come out right."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from nasarena.agents.languages.candidate import candidate_schema
from nasarena.agents.llm import constraint_probe as canary
from nasarena.agents.llm.client import Request, ask_and_parse
from nasarena.agents.llm.endpoint import Endpoint, LlmSettings
from nasarena.agents.llm.server_client import ServerClient
from nasarena.agents.llm.weights import active_params
from nasarena.experiments.commands.cli import main
from nasarena.experiments.commands.one_comparison import run_missing
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.running import Progress
from nasarena.experiments.comparison.shared_model import with_model
from nasarena.experiments.settings.commands import compare_settings
from nasarena.search.errors import RunFolderRefused
from nasarena.search.run_folder import Event, RunRecord, drop_measurements, find_runs, read_run
from nasarena.search.space import PatternSpace

SPACE = PatternSpace("AMS", 16)
SMALL = "proxy=additive space.depth=6 budget=trials loop.initial_design=2 references=false".split()
LONG = 48  # trials
AGENTS = [
    "agent-iid",
    "agent-greedy",
    "agent-instrumented",
    "agent-prior-evolution",
    "agent-override",
    "random",
]
START = Callable[..., "subprocess.Popen[str]"]
HALTED = tuple["subprocess.Popen[str]", threading.Thread]  # joined when it has been halted


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that all commands of this file are given in."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NASARENA_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def own_server(home: Path, tiny_model: Path, start_command: START) -> Iterator[HALTED]:
    """A run that starts a server by itself, and is halted after three calls until a test looks.

    It is long enough not to have ended before a busy machine halts it: 16 trials take two seconds.
    """
    arguments = [*SMALL[:-1], "searcher=agent-iid", f"budget.amount={LONG}", "name=own", "llm=vllm"]
    model = f"llm.model={tiny_model}"
    process = start_command("run", *arguments, model, "llm.patience_s=2", cwd=home)
    events = home / "runs" / "own" / "agent-iid" / "seed-0" / "events.jsonl"

    def halt() -> None:
        while process.poll() is None:
            if events.exists() and events.read_bytes().count(b'"event":"llm_call"') >= 3:
                os.killpg(process.pid, signal.SIGSTOP)  # the server is in a group of its own
                return
            time.sleep(0.005)

    watcher = threading.Thread(target=halt, daemon=True)
    watcher.start()
    yield process, watcher
    if process.poll() is None:  # of a selection of tests, none may have ended it
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def endpoint(server_url: str, own_server: HALTED) -> Endpoint:
    return canary.connect(LlmSettings(base_url=server_url))


@pytest.fixture(scope="module")
def client(endpoint: Endpoint) -> Iterator[ServerClient]:
    client = ServerClient(endpoint)
    yield client
    client.close()


@pytest.fixture(scope="module")
def comparison_folder(home: Path, server_url: str, endpoint: Endpoint) -> Path:
    """A finished comparison; to be read only."""
    assert main(compare("agents", f"llm.base_url={server_url}")) == 0
    return home / "runs" / "agents"


def compare(name: str, *arguments: str) -> list[str]:
    searchers = f"searchers=[{','.join(AGENTS)}]"
    return ["compare", *SMALL, searchers, "seeds=1", "budget.amount=6", f"name={name}", *arguments]


def carry_out(arguments: list[str]) -> list[Progress]:
    """`nasarena compare` without its conclusions; what did not finish."""
    config, console = compare_settings(arguments[1:]), Console(quiet=True)
    with with_model(plan_comparison(config, "test"), config, console) as comparison:
        return run_missing(comparison, "test", console, None, False)


def question(**values: object) -> Request:
    return Request(({"role": "user", "content": "Propose a pattern."},), **values)  # type: ignore[arg-type]


def of_agents(folder: Path) -> list[RunRecord]:
    runs = [read_run(path) for path in find_runs(folder)]
    return [run for run in runs if run.config["searcher"].get("uses_llm")]


def calls(run: RunRecord) -> list[Event]:
    return list(run.of_kind("llm_call"))


def refusal(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one line of a command that must end with exit code 2."""
    capsys.readouterr()
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_the_canary_finds_what_this_server_obeys(endpoint: Endpoint, tiny_model: Path) -> None:
    assert (endpoint.schema_rung, endpoint.regex_rung) == ("json_schema", "structured_outputs")
    assert endpoint.model == tiny_model.name and endpoint.server.startswith("vllm 0.")
    assert endpoint.active_params == active_params(tiny_model) == 1_171_968
    assert endpoint.context == 2048 and len(endpoint.revision) == 16
    assert [finding.rpartition(": ")[2] for finding in endpoint.findings] == ["obeyed"] * 3


@pytest.mark.parametrize("seed", range(4))
def test_replies_are_constrained_by_schema_and_by_regex(client: ServerClient, seed: int) -> None:
    reply = client.complete(question(schema=candidate_schema(SPACE), seed=seed))
    said = json.loads(reply.text, strict=False)
    assert said["pattern"] in SPACE and said["expected"] in ("better", "worse", "same")
    assert len(said["name"]) <= 40 and len(said["hypothesis"]) <= 200
    assert (reply.finish_reason, reply.constraint) == ("stop", "json_schema")
    assert reply.cost.completion_tokens > 16
    both = [client.complete(question(regex="[AMS]{16}", seed=seed)) for _ in range(2)]
    assert both[0].text == both[1].text and both[0].text in SPACE  # the seed fixes the reply
    assert both[0].cost.flops == 2 * 1_171_968 * (
        both[0].cost.prompt_tokens + both[0].cost.completion_tokens
    )


def test_log_probabilities_are_those_of_what_the_constraint_allows(client: ServerClient) -> None:
    reply = client.complete(question(regex="[AMS]{16}", logprobs=20, temperature=0.0))
    assert "".join(choice.token for choice in reply.tokens).startswith(reply.text)
    for choice in reply.tokens[:-1]:
        assert choice.token == max(choice.alternatives, key=lambda t: choice.alternatives[t])
        assert all(re.fullmatch("[AMS]+", token) for token in choice.alternatives)
        assert -1000 < min(choice.alternatives.values()) <= max(choice.alternatives.values()) <= 0


def test_an_unusable_reply_is_mended_in_one_turn(client: ServerClient) -> None:
    seen: list[str] = []

    def second_only(text: str) -> str:
        seen.append(text)
        if len(seen) == 1:
            raise ValueError("the first one never counts")
        return text

    answer = ask_and_parse(client, question(regex="[AMS]{16}"), second_only)
    assert answer.provenance == "llm-repaired" and answer.value == seen[1] and seen[0] != seen[1]
    assert answer.cost.calls == 2


def test_a_reply_that_was_cut_off_is_never_read(client: ServerClient) -> None:
    cut = client.complete(question(schema=candidate_schema(SPACE), max_tokens=16))
    assert (cut.finish_reason, cut.cost.completion_tokens) == ("length", 16)
    answer = ask_and_parse(
        client, question(schema=candidate_schema(SPACE), max_tokens=16), json.loads
    )
    assert answer.value is None and "cut off" in answer.error


def test_agents_run_and_every_proposal_is_well_formed(comparison_folder: Path) -> None:
    runs = of_agents(comparison_folder)
    assert len(runs) == len(AGENTS) - 1 and {run.state for run in runs} == {"finished"}
    for run in runs:
        assert len(run.trials()) >= 6 and (run.path / "notebook.md").exists()
        assert "invalid" not in {trial.status for trial in run.trials()}
    greedy = next(run for run in runs if run.config["searcher"]["name"] == "agent-greedy")
    said = [trial.details for trial in greedy.trials() if trial.provenance.startswith("llm")]
    assert all(one["operator"] and one["name"] or one["hypothesis"] for one in said)
    assert {one["expected"] for one in said} <= {"better", "worse", "same"}


def test_llm_use_is_on_its_own_axis_and_adds_up(comparison_folder: Path) -> None:
    for run in of_agents(comparison_folder):
        end = run.events[-1]
        assert end["spent"] == 6  # trials alone
        tokens = [event["prompt_tokens"] + event["completion_tokens"] for event in calls(run)]
        assert end["llm"]["calls"] == len(tokens) > 0
        assert end["llm"]["prompt_tokens"] + end["llm"]["completion_tokens"] == sum(tokens)
        assert end["llm"]["flops"] == 2 * 1_171_968 * sum(tokens)
        assert end["llm"]["seconds"] > 0


def test_the_header_says_which_model_and_what_it_obeys(
    comparison_folder: Path, endpoint: Endpoint
) -> None:
    header = of_agents(comparison_folder)[0].header
    assert header["config"]["llm"]["revision"] == endpoint.revision
    assert header["llm"]["server"] == endpoint.server
    assert header["llm"]["findings"] == list(endpoint.findings)
    classical = read_run(comparison_folder / "random" / "seed-0").header
    assert "llm" not in classical and "llm" not in classical["config"]


def test_a_replay_without_a_server_is_identical_but_for_times(
    comparison_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert carry_out(compare("again", "llm=replay", f"llm.record={comparison_folder}")) == []
    for path in find_runs(comparison_folder):
        again = comparison_folder.parent / "again" / path.relative_to(comparison_folder)
        assert drop_measurements(read_run(again).events) == drop_measurements(read_run(path).events)
        assert read_run(again).header["config_hash"] == read_run(path).header["config_hash"]
        stored = [file.name for file in sorted(path.glob("llm/*.json"))]
        assert stored == [file.name for file in sorted(again.glob("llm/*.json"))]


def test_a_finished_comparison_needs_no_server(comparison_folder: Path) -> None:
    model = re.escape(of_agents(comparison_folder)[0].config["llm"]["model"])
    nowhere = compare("agents", "llm.base_url=http://127.0.0.1:9/v1")
    assert carry_out(nowhere) == []
    with pytest.raises(RunFolderRefused, match=f"llm.model is '{model}', not 'other'"):
        carry_out([*nowhere, "llm.model=other"])


def test_a_changed_prompt_is_reported_at_the_call_where_it_diverges(
    comparison_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = "searchers=[{name:agent-greedy,options:{memory_trials:1}}]"
    arguments = compare("changed", "llm=replay", f"llm.record={comparison_folder}", changed)
    line = refusal(capsys, arguments)
    found = re.search(r"call (\d+) is not the recorded one: the prompt was '.*', is '", line)
    # One call a trial, or more; only with two trials in view does the prompt differ.
    assert found is not None and 1 <= int(found[1]) <= 8


def test_a_missing_or_altered_reply_is_one_line_and_can_be_put_back(
    comparison_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = comparison_folder.parent / "damaged"
    shutil.copytree(comparison_folder / "agent-iid", copy / "agent-iid")
    event = calls(read_run(copy / "agent-iid" / "seed-0"))[2]
    file = copy / "agent-iid" / "seed-0" / "llm" / f"{event['reply']}.json"
    whole = file.read_text()
    arguments = ["run", *SMALL[:-1], "searcher=agent-iid", "budget.amount=6", "name=restored"]
    arguments += ["llm=replay", f"llm.record={copy}"]
    file.unlink()
    assert "is missing, though an event refers to it" in refusal(capsys, arguments)
    file.write_text(whole.replace('"stop"', '"length"'))
    assert "was changed since it was recorded" in refusal(capsys, arguments)
    file.write_text(whole)
    assert main(arguments) == 0


def test_calls_can_be_charged_to_the_one_budget(home: Path, server_url: str) -> None:
    run = ["run", *SMALL[:2], "loop.initial_design=2", "searcher=agent-iid", "name=charged"]
    budget = ["budget=flops", "budget.amount=2e13", "budget.charge_llm=true"]
    assert main([*run, *budget, f"llm.base_url={server_url}"]) == 0
    record = read_run(home / "runs" / "charged" / "agent-iid" / "seed-0")
    end = record.events[-1]
    trained = sum(trial.cost.flops for trial in record.trials())
    assert end["spent"] == trained + end["llm"]["flops"] and "budget spent" in end["reason"]
    assert end["llm"]["flops"] > 1e9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["llm.model=other"], "does not serve the model 'other'; it serves"),
        (["searcher.options.max_tokens=4000"], "do not fit into the context of"),
        (["budget=device_seconds", "budget.charge_llm=perhaps"], "must be true or false"),
    ],
)
def test_what_this_server_cannot_do_is_one_line(
    server_url: str,
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    home: Path,
) -> None:
    run = ["run", *SMALL[:-1], "searcher=agent-iid", "budget.amount=8", "name=refused"]
    assert words in refusal(capsys, [*run, f"llm.base_url={server_url}", *arguments])


def test_a_schema_that_the_server_rejects_is_one_line(client: ServerClient) -> None:
    from nasarena.agents.llm.errors import LlmRefused

    broken = {"type": "object", "properties": {"pattern": {"type": "string", "pattern": "(AMS"}}}
    with pytest.raises(LlmRefused, match="rejects the schema of a reply .HTTP 400."):
        client.complete(question(schema=broken))


def test_ctrl_c_while_the_server_starts_leaves_nothing_behind(
    home: Path, tiny_model: Path, start_command: START, find_servers: Callable[..., list[int]]
) -> None:
    model = home / "interrupted"
    model.symlink_to(tiny_model)
    arguments = [*SMALL[:-1], "searcher=agent-iid", "budget.amount=8", "name=interrupted"]
    process = start_command("run", *arguments, "llm=vllm", f"llm.model={model}", cwd=home)
    while not find_servers(model):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in errors
    assert find_servers(model) == []


def test_a_server_killed_in_the_middle_ends_the_run_which_another_one_goes_on_with(
    home: Path,
    own_server: HALTED,
    server_url: str,
    tiny_model: Path,
    find_servers: Callable[..., list[int]],
) -> None:
    path = home / "runs" / "own" / "agent-iid" / "seed-0"
    process, watcher = own_server
    watcher.join(timeout=120)
    assert process.poll() is None, process.communicate()
    url = json.loads((home / "runs" / "own" / "server" / "server.json").read_text())["base_url"]
    assert url != server_url
    (pid,) = find_servers(tiny_model, url)
    os.kill(pid, signal.SIGKILL)
    os.killpg(process.pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "does not answer for 2 s" in errors and "the same command goes on" in errors
    assert "vLLM ended by itself" in errors and "Traceback" not in errors
    assert find_servers(tiny_model, url) == []
    cut = read_run(path)
    assert cut.state == "partial" and len(calls(cut)) >= 3
    # Another server with the same weights goes on where it stopped.
    run = ["run", *SMALL[:-1], "searcher=agent-iid", f"budget.amount={LONG}", "name=own"]
    assert main([*run, f"llm.base_url={server_url}"]) == 0
    whole = read_run(path)
    assert whole.events[: len(cut.events)] == cut.events and len(whole.trials()) >= LONG
    replay = ["llm=replay", f"llm.record={home / 'runs' / 'own'}", "name=own again"]
    assert main([*run, *replay]) == 0
    again = read_run(home / "runs" / "own again" / "agent-iid" / "seed-0")
    assert drop_measurements(again.events) == drop_measurements(whole.events)


def test_a_run_never_goes_on_with_another_model(
    comparison_folder: Path, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    path = comparison_folder.parent / "cut" / "agent-iid" / "seed-0"
    shutil.copytree(comparison_folder / "agent-iid" / "seed-0", path)
    events = (path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (path / "events.jsonl").write_bytes(b"".join(events[:-3]))
    run = ["run", *SMALL[:-1], "searcher=agent-iid", "budget.amount=6", "name=cut"]
    url = f"llm.base_url={endpoint.settings.base_url}"
    line = refusal(capsys, [*run, url, "llm.revision=another"])
    assert f"llm.revision is '{endpoint.revision}', not 'another'" in line
