"""A server as the agents know it: where it is, what it serves, and what it was proven to obey.

Plain values throughout, so it is worked out once, written down, and handed to worker processes.
"""

from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from nasarena.agents.llm.transport import Patience
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings

# How a reply can be constrained, best first; `none` leaves everything to the parser.
Rung = Literal["json_schema", "structured_outputs", "json_object", "none"]


@settings
class Connection(Patience):
    """Which model a server serves, and how long to wait for it.

    `revision` and `active_params` are what the server cannot be asked for; for a folder of weights
    on this machine they are read from it.
    """

    model: str | None = Field(
        None, description="as the server calls it; null takes the only one served"
    )
    revision: str | None = Field(
        None, description="of the weights, for the record; read from them where they lie here"
    )
    active_params: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="parameters at work on a token, for LLM FLOPs; read likewise, mixtures of "
        "experts excepted",
    )
    key_variable: str = Field(
        "NASARENA_LLM_KEY", description="environment variable with the key, if one is wanted"
    )


@settings
class LlmSettings(Connection):
    """A server that is there and speaks Chat Completions; llm.base_url= alone chooses it too."""

    base_url: str = Field("http://127.0.0.1:8000/v1", description="its address, up to /v1")

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidSetting(
                f"base_url must be an address such as http://127.0.0.1:8000/v1, "
                f"got {self.base_url!r}"
            )
        if parts.username or parts.password:
            raise InvalidSetting(
                f"base_url is recorded, so a key must not stand in it: put it into the "
                f"environment variable {self.key_variable}"
            )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that was asked and tried. `context` is in tokens, None where it is not told.

    `schema_rung` and `regex_rung` are the best constraints that it really obeys, `findings` what
    each trial brought. `answers_as` is the model that its answers name, often the long form of
    `model`. Without `active_params` LLM FLOPs are counted as 0.
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
    answers_as: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values for `run.json`."""
        values = asdict(self)
        waiting = [one.name for one in fields(Patience)]
        values["settings"]["patience"] = {name: values["settings"].pop(name) for name in waiting}
        return values
