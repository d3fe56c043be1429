"""A server as the agents know it: where it is, what it serves, and what it was proven to obey.

Plain values throughout, so it is worked out once, written down, and handed to worker processes.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from nasarena.agents.llm.transport import Patience
from nasarena.search.errors import InvalidSetting

# How a reply can be constrained, best first; `none` leaves everything to the parser.
Rung = Literal["json_schema", "structured_outputs", "json_object", "none"]


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """Which model, and how long to wait for it.

    `base_url` ends in /v1. Without `model` the only one served is taken. `revision` and
    `active_params` are what the server cannot be asked for; for a folder of weights on this
    machine they are read from it. `key_variable` names the environment variable with the key.
    """

    base_url: str = "http://127.0.0.1:8000/v1"
    model: str | None = None
    revision: str | None = None
    active_params: int | None = None
    key_variable: str = "NASARENA_LLM_KEY"
    patience: Patience = Patience()

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidSetting(
                f"llm.base_url must be an address such as http://127.0.0.1:8000/v1, "
                f"got {self.base_url!r}"
            )
        if parts.username or parts.password:
            raise InvalidSetting(
                f"llm.base_url is recorded, so a key must not stand in it: put it into the "
                f"environment variable {self.key_variable}"
            )
        if self.active_params is not None and self.active_params < 1:
            raise InvalidSetting(f"llm.active_params must be positive, got {self.active_params}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that was asked and tried. `context` is in tokens, None where it is not told.

    `schema_rung` and `regex_rung` are the best constraints that it really obeys, `findings` what
    each trial brought. Without `active_params` LLM FLOPs are counted as 0.
    """

    settings: LlmSettings
    model: str
    server: str
    revision: str = ""
    context: int | None = None
    active_params: int | None = None
    schema_rung: Rung = "json_schema"
    regex_rung: Rung = "structured_outputs"
    findings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for `run.json`."""
        return asdict(self)
