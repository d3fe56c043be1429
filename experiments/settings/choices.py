"""What is chosen by a name and has settings of its own: the proxy, and the language model.

A choice keeps the class of settings that belongs to its name; the settings of another choice are
refused, and the message says whose they are.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import Field

from nasarena.agents.llm.endpoint import Connection, LlmSettings
from nasarena.agents.llm.server_command import ServerOptions
from nasarena.experiments.settings.registry import PROXIES, load_proxy_settings
from nasarena.search.errors import InvalidSetting, UnknownSetting, nearest, setting_names
from nasarena.search.proxy import Proxy
from nasarena.search.settings import build, settings


@runtime_checkable
class ProxySettings(Protocol):
    """A class of settings from which a proxy is built."""

    def build(self, space: Any, name: str) -> Proxy:
        """The proxy; `name` is the one it was chosen by."""
        ...


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """A proxy by name, with its settings."""

    name: str
    settings: ProxySettings

    @property
    def options(self) -> dict[str, Any]:
        """The settings as plain values, as `run.json` holds them."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self.settings)))  # type: ignore[call-overload]
        return plain

    def with_changes(self, changes: Mapping[str, Any], path: str = "proxy") -> "ProxyConfig":
        """With some settings changed, given as plain values; neither is touched."""
        return choose_proxy(self.name, merge(self.options, changes), path)

    def __hash__(self) -> int:
        return hash((self.name, json.dumps(self.options, sort_keys=True)))

    def __reduce__(self) -> tuple[Any, ...]:
        """By name, for a class made of a signature is in no module that a worker could import."""
        return choose_proxy, (self.name, self.options)


def choose_proxy(name: str, options: Mapping[str, Any], path: str = "proxy") -> ProxyConfig:
    """The proxy of this name, its settings checked; `path` stands before them in a message."""
    chosen = choose("proxy", name, options, load_proxy_settings, PROXIES, path)
    return ProxyConfig(name, chosen)


@settings
class ScribeLlm:
    """The embedded agent: its weights come with nasarena and answer in process; no server, no
    download."""

    model: str | None = Field(
        None, description="a folder that agents.scribe.train wrote; null is the model that ships"
    )


@settings
class VllmLlm(ServerOptions, Connection):
    """A vLLM server, started for this command from its own environment (make vllm) and stopped
    after it."""

    model: str | None = Field(
        None,
        description="a packaged model, a folder in transformers format, a GGUF file or a name on "
        "the hub; null is the embedded agent",
    )
    timeout_s: float = Field(
        1800.0,
        gt=0,
        description="seconds that one answer may take; on a CPU a program takes minutes",
    )
    patience_s: float = Field(
        30.0,
        ge=0,
        description="seconds that failures are waited out; our own server does not come back by "
        "itself",
    )


@settings
class ReplayLlm:
    """No model at all: every call is answered from the record of a finished comparison, and
    checked."""

    record: str | None = Field(
        None,
        description="the folder of that comparison, as runs/NAME; give this one another name=",
    )


LLMS: dict[str, type[Any]] = {
    "scribe": ScribeLlm,
    "server": LlmSettings,
    "vllm": VllmLlm,
    "replay": ReplayLlm,
}


@dataclass(frozen=True, slots=True)
class LlmConfig:
    """How the agents reach a language model: one of `LLMS`, with its settings."""

    name: str = "scribe"
    settings: ScribeLlm | LlmSettings | VllmLlm | ReplayLlm = ScribeLlm()


def load_llm_settings(name: str) -> type[Any]:
    """The class of settings of a name. Raises InvalidSetting for an unknown one."""
    if name not in LLMS:
        raise InvalidSetting(f"no llm is called {name!r}; {nearest(name, LLMS)}")
    return LLMS[name]


def choose_llm(name: str, options: Mapping[str, Any]) -> LlmConfig:
    """The model of this name, its settings checked."""
    return LlmConfig(name, choose("llm", name, options, load_llm_settings, LLMS, "llm"))


def merge(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with `changes` put in, mapping by mapping; neither is touched."""
    both = dict(values)
    for key, value in changes.items():
        inner = both.get(key)
        is_group = isinstance(inner, Mapping) and isinstance(value, Mapping)
        both[key] = merge(inner, value) if is_group else value  # type: ignore[arg-type]
    return both


def choose(
    group: str,
    name: str,
    options: Mapping[str, Any],
    load: Callable[[str], type[Any]],
    others: Iterable[str],
    path: str,
) -> Any:
    """The settings of a choice, of the class that `load` finds; `path` stands before them in a
    message. Raises InvalidSetting, which names the choice that a setting belongs to."""
    try:
        return build(load(name), options, path)
    except UnknownSetting as error:
        wanted = error.name.removeprefix(f"{path}.")
        owners = [f"{group}={one}" for one in others if wanted in setting_names(load(one))]
        if not owners:
            raise
        raise InvalidSetting(
            f"{error.name!r} is a setting of {' and '.join(owners)}: choose one too"
        ) from error
