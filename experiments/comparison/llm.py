"""The language model of a comparison: started or found once, shared by all runs that need one.

An `Access` is plain values: a worker makes its own client from it. Its `identity` (which weights,
constrained how) is part of a run's configuration, so no run goes on with another model than it
began with; where the model was reached and what the canary found stands beside it in `run.json`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from nasarena.agents.llm.client import Client, ClosableClient
from nasarena.agents.llm.endpoint import Connection, Endpoint, LlmSettings
from nasarena.agents.llm.errors import LlmRecordBroken
from nasarena.agents.llm.server import VllmServer
from nasarena.agents.llm.server_command import ServerOptions, ServerSettings, folder_name
from nasarena.agents.llm.serving_size import Load
from nasarena.agents.llm.store import EVENT, PlaybackClient, RecordedClient, Store
from nasarena.agents.scribe.card import MODEL_DIR, prompt_options
from nasarena.experiments.comparison.served_model import ready_model, start_server
from nasarena.experiments.execution.console import make_console
from nasarena.experiments.settings.choices import LlmConfig, ReplayLlm, ScribeLlm, VllmLlm
from nasarena.search.candidates.program_space import ProgramSpace
from nasarena.search.candidates.protocol import Space
from nasarena.search.errors import InvalidSetting
from nasarena.search.journal import Journal
from nasarena.search.run_config import all_options
from nasarena.search.run_folder import RunRecord, find_runs, read_run
from nasarena.search.settings import build
from nasarena.search.space import PatternSpace
from nasarena.search.untrusted.bounded_read import read_bounded

SERVER_FOLDER = "server"  # address and log of a server of ours, in the folder of the comparison
_REPLY_TOKENS = {"edits": 800, "code": 8000}
_IDENTITY = ("model", "revision", "active_params", "schema_rung", "regex_rung")


@dataclass(frozen=True, slots=True)
class Access:
    """How a run reaches its model.

    `connect` makes a client, in whichever process, for a run with so many calls on record.
    """

    identity: Mapping[str, Any]
    connect: Callable[[int], ClosableClient]
    notes: Mapping[str, Any] = field(default_factory=dict, repr=False)


@contextmanager
def recording(access: Access, journal: Journal) -> Iterator[Client]:
    """The client of one run: answers from its record first, then from the model, recording."""
    clients: list[ClosableClient] = []
    num_recorded = journal.num_recorded(EVENT)

    def connect() -> Client:
        clients.append(access.connect(num_recorded))
        return clients[0]

    try:
        yield RecordedClient(journal, Store(journal.path), connect)
    finally:
        for client in clients:
            client.close()


def default_agent_options(config: LlmConfig, space: Space) -> dict[str, Any]:
    """Defaults of agents that go with a model and a space: the embedded one reads compact prompts
    only, and a program is a longer reply than a pattern."""
    tokens: dict[str, Any] = (
        {} if isinstance(space, PatternSpace) else {"max_tokens": _REPLY_TOKENS["edits"]}
    )
    if isinstance(space, ProgramSpace):
        tokens["max_tokens"] = _REPLY_TOKENS["code"]
    if config.name == "replay":
        headers = [path / "run.json" for path in find_runs(_replay_folder(config))]
        configs = [json.loads(read_bounded(header))["config"] for header in headers]
        found = [options for one in configs for options in all_options(one)]
        prompts = {options.get("prompt") for options in found}
        if "compact" not in prompts or "full" in prompts:
            return dict(tokens)
        lines = {options["lines"] for options in found if "lines" in options}
        return {**tokens, "prompt": "compact", **({"lines": lines.pop()} if lines else {})}
    if isinstance(config.settings, ScribeLlm):
        return {**tokens, **prompt_options(_weights(config.settings))}
    if isinstance(config.settings, VllmLlm) and config.settings.model is None:
        return {**tokens, **prompt_options()}
    return dict(tokens)


@contextmanager
def model_access(config: LlmConfig, folder: Path, console: Console, load: Load) -> Iterator[Access]:
    """Access to the model of these settings for as long as the context lasts; `load` is what will
    be asked of it.

    Raises InvalidSetting, or in one line what a server says or does not say.
    """
    open_access = LLMS[config.name]
    with open_access(config.settings, folder, console, load) as access:
        yield access


def replay_access(config: LlmConfig, run: Path) -> Access:
    """Access to the record of the run that lies at `run` below the folder to replay.

    Raises LlmRecordBroken if there is none, or one that has not come to its end.
    """
    path = _replay_folder(config) / run
    if not (path / "run.json").exists():
        raise LlmRecordBroken(f"{path} is not there, so this run cannot be replayed")
    record = read_run(path)
    if record.state != "finished":
        raise LlmRecordBroken(f"{path} is {record.state}: only a finished run can be replayed")
    notes = {**record.header.get("llm", {}), "replayed": str(path)}
    return Access(record.config.get("llm", {}), partial(_playback, path), notes)


def offline_access(config: LlmConfig, record: RunRecord) -> Access:
    """For a run that will make no call: the identity on record, but what is set now wins.

    So a folder is refused if the settings name another model, without asking a server.
    """
    known = config.settings if isinstance(config.settings, Connection) else Connection()
    set_now = {name: getattr(known, name) for name in ("revision", "active_params")}
    set_now["model"] = _recorded_model(config.settings)
    given = {name: value for name, value in set_now.items() if value is not None}
    return Access({**record.config.get("llm", {}), **given}, partial(_playback, record.path))


def _recorded_model(settings: object) -> str | None:
    """What records call the model that is set, None where that is not known without a server: our
    own calls a folder by its name, and a GGUF file by its hash as well."""
    if not isinstance(settings, Connection | ScribeLlm) or settings.model is None:
        return None
    if isinstance(settings, VllmLlm | ScribeLlm) and Path(settings.model).exists():
        return folder_name(settings.model)
    return settings.model


@contextmanager
def _scribe(settings: ScribeLlm, folder: Path, console: Console, load: Load) -> Iterator[Access]:
    from nasarena.agents.scribe.local import ScribeClient

    weights = _weights(settings)
    client = ScribeClient(weights)
    known = ("model", "revision", "active_params")
    identity = {name: getattr(client, name) for name in known}
    yield Access(identity, partial(_scribe_client, weights), {**identity, "server": "in process"})


@contextmanager
def _server(settings: LlmSettings, folder: Path, console: Console, load: Load) -> Iterator[Access]:
    from nasarena.agents.llm.constraint_probe import connect

    yield _at(connect(settings))


@contextmanager
def _vllm(settings: VllmLlm, folder: Path, console: Console, load: Load) -> Iterator[Access]:
    from nasarena.agents.llm.constraint_probe import connect
    from nasarena.search.machine import cache_folder

    is_own = settings.model is None
    served = {"model": _scribe_folder() if is_own else settings.model, **asdict(load)}
    name = {"served_as": "embedded-agent" if is_own else None}
    asked = build(ServerSettings, {**_part(settings, ServerOptions), **served, **name}, "llm")
    started = replace(asked, model=ready_model(asked, console))
    server = VllmServer(started, folder / SERVER_FOLDER, cache_folder() / "vllm")
    start_server(server, console)
    try:
        reached = {**_part(settings, Connection), "model": None, "base_url": server.base_url}
        yield _at(connect(LlmSettings(**reached)))
        if not server.is_running:  # so runs were cut off; this is why
            make_console(stderr=True).print(
                f"nasarena: {server.failure()}", markup=False, soft_wrap=True
            )
    finally:
        server.stop()


def _scribe_folder() -> str:
    if not (MODEL_DIR / "config.json").is_file():
        raise InvalidSetting(
            f"llm=vllm without llm.model serves the embedded agent, whose weights are not in "
            f"{MODEL_DIR}; give llm.model, or run make train-scribe"
        )
    return str(MODEL_DIR)


def _part(settings: VllmLlm, cls: type[Any]) -> dict[str, Any]:
    """The settings that belong to one of the classes it is made of."""
    return {one.name: getattr(settings, one.name) for one in fields(cls)}


def _at(endpoint: Endpoint) -> Access:
    identity = {name: getattr(endpoint, name) for name in _IDENTITY}
    return Access(identity, partial(_server_client, endpoint), endpoint.to_json())


def _replay_folder(config: LlmConfig) -> Path:
    record = config.settings.record if isinstance(config.settings, ReplayLlm) else None
    if record is None or not Path(record).is_dir():
        raise InvalidSetting(
            f"llm=replay needs the folder of a finished comparison, as llm.record=runs/NAME, "
            f"got {record!r}"
        )
    return Path(record)


def _weights(settings: ScribeLlm) -> Path:
    return MODEL_DIR if settings.model is None else Path(settings.model).resolve()


def _scribe_client(weights: Path, num_recorded: int) -> ClosableClient:
    from nasarena.agents.scribe.local import ScribeClient

    return ScribeClient(weights)


def _server_client(endpoint: Endpoint, num_recorded: int) -> ClosableClient:
    from nasarena.agents.llm.server_client import ServerClient

    return ServerClient(endpoint)


def _playback(path: Path, num_recorded: int) -> ClosableClient:
    return PlaybackClient(read_run(path), num_recorded)


Opener = Callable[[Any, Path, Console, Load], AbstractContextManager[Access]]
# The choices of `llm` that one access serves; `replay` has one for each run.
LLMS: dict[str, Opener] = {"scribe": _scribe, "server": _server, "vllm": _vllm}
