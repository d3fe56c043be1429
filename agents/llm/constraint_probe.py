"""What a server really does, found out before the first question: it must prove each constraint.

Servers drop constraints that they do not know and answer in free text with HTTP 200. So each rung
of the ladder is tried with a constraint that no free text meets by chance, and the best rung that
holds is used: `json_schema` through `response_format`, then `structured_outputs`, then
`json_object`, then none, with the parser as the last judge. What was found is recorded.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nasarena.agents.llm import weights
from nasarena.agents.llm.completion import answering_model
from nasarena.agents.llm.endpoint import Endpoint, LlmSettings, Rung
from nasarena.agents.llm.errors import ContextTooSmall, LlmRefused
from nasarena.agents.llm.messages import Request, call_seed
from nasarena.agents.llm.server_client import chat_body, explain_refusal, max_bytes
from nasarena.agents.llm.text import one_line
from nasarena.agents.llm.transport import Oversize, Refusal, Transport

_SAMPLES = 2
_CODE = "[QXZ]{6}"
_SCHEMA = {
    "type": "object",
    "properties": {"code": {"type": "string", "pattern": f"^{_CODE}$"}},
    "required": ["code"],
    "additionalProperties": False,
}
# A thinking model thinks before it is constrained.
_PROBE_TOKENS = 1024
_KNOCKING_S = 2.0  # patience with a server that has never answered


def connect(settings: LlmSettings) -> Endpoint:
    """Ask a server what it serves and try what it obeys.

    Raises LlmUnavailable if nobody answers, LlmRefused for a model that it does not serve, that has
    no chat template, or for a missing key.
    """
    transport = Transport(settings.base_url, settings.key_variable, settings)
    try:
        endpoint = _describe_endpoint(settings, transport)
        return _ConstraintProbe(endpoint, transport).judge()
    finally:
        transport.close()


def _describe_endpoint(settings: LlmSettings, transport: Transport) -> Endpoint:
    """The model to use, with what the server and the folder of its weights say about it."""
    try:
        served = transport.call("GET", "/models", _models, patience_s=_KNOCKING_S)
    except Refusal as refusal:
        raise explain_refusal(refusal, settings.model or "?", settings) from refusal
    names = list(served)
    if settings.model is None and len(names) != 1:
        raise LlmRefused(f"llm.model must be one of {', '.join(names) or 'none'}; it is not given")
    model = settings.model or names[0]
    if names and model not in names:
        raise LlmRefused(
            f"{settings.base_url} does not serve the model {model!r}; it serves {', '.join(names)}"
        )
    about = served.get(model, {})
    folder = _weights_folder(about, model)
    revision, params = settings.revision, settings.active_params
    if folder is not None:
        revision = weights.revision(folder) if revision is None else revision
        params = weights.active_params(folder) if params is None else params
    return Endpoint(
        settings,
        model,
        _server(settings, about),
        revision or "",
        _context(about),
        params,
    )


def _models(value: Any) -> dict[str, Any]:
    return {_clean_name(entry["id"]): dict(entry) for entry in value["data"]}


def _clean_name(name: object) -> str:
    """A name of a server's, as one line that every encoder can write."""
    return one_line(str(name).encode("utf-8", "replace").decode(), 200)


def _weights_folder(about: Mapping[str, Any], model: str) -> Path | None:
    """The folder of the weights on this machine, where the server names one."""
    root = str(about.get("root") or model)
    try:
        return Path(root) if (Path(root) / "config.json").is_file() else None
    except (OSError, ValueError):  # a name that no file system would take
        return None


def _context(about: Mapping[str, Any]) -> int | None:
    """The longest prompt with reply, where the server tells it as a number of tokens.

    llama.cpp tells that of one of its slots.
    """
    meta = about.get("meta")
    length = about.get("max_model_len", meta.get("n_ctx") if isinstance(meta, dict) else None)
    is_count = isinstance(length, int) and not isinstance(length, bool) and length > 0
    return length if is_count else None


def _server(settings: LlmSettings, about: Any) -> str:
    """Name and version of the server, or how its weights are quantized, as far as it tells."""
    owner = _clean_name(about.get("owned_by") or "unknown")
    if owner == "llamacpp":
        meta = about.get("meta")
        kind = _clean_name(meta.get("ftype") or "") if isinstance(meta, dict) else ""
        return f"{owner} {kind}".strip()
    if owner != "vllm":
        return owner
    root = settings.base_url.rstrip("/").removesuffix("/v1")
    transport = Transport(root, settings.key_variable, settings)
    try:
        version = transport.call("GET", "/version", lambda value: _clean_name(value["version"]))
    except Refusal:
        return owner
    finally:
        transport.close()
    return f"{owner} {version}"


class _ConstraintProbe:
    """Tries the rungs of one endpoint."""

    def __init__(self, endpoint: Endpoint, transport: Transport) -> None:
        self._endpoint, self._transport = endpoint, transport
        room = endpoint.context // 2 if endpoint.context else _PROBE_TOKENS
        self._max_tokens = min(_PROBE_TOKENS, room)
        self._findings: list[str] = []
        self._answers_as = ""

    def judge(self) -> Endpoint:
        """The endpoint with the rungs that hold."""
        self._try("any reply", self._request(max_tokens=1), "none", lambda text: True, True)
        schema = self._schema_rung()
        pattern = re.compile(_CODE)
        holds = self._try(
            "structured_outputs regex",
            self._request(regex=_CODE),
            "structured_outputs",
            lambda text: pattern.fullmatch(text) is not None,
        )
        return replace(
            self._endpoint,
            schema_rung=schema,
            regex_rung="structured_outputs" if holds else "none",
            findings=tuple(self._findings),
            answers_as=self._answers_as,
        )

    def _schema_rung(self) -> Rung:
        request = self._request(schema=_SCHEMA)
        for rung in ("json_schema", "structured_outputs"):
            if self._try(rung, request, rung, _meets_schema):
                return rung
        if self._try("json_object", request, "json_object", _is_object):
            return "json_object"
        return "none"

    def _request(self, max_tokens: int | None = None, **values: Any) -> Request:
        message = {"role": "user", "content": "Wish me a good morning, in JSON if you can."}
        tokens = max_tokens or self._max_tokens
        return Request((message,), max_tokens=tokens, temperature=1.0, **values)

    def _try(
        self,
        name: str,
        request: Request,
        rung: Rung,
        obeys: Callable[[str], bool],
        must_answer: bool = False,
    ) -> bool:
        """Whether all samples obey; a refusal counts as no, unless an answer is a must."""
        for sample in range(_SAMPLES):
            seeded = replace(request, seed=call_seed(0, sample, "canary", 0))
            try:
                text = self._say(seeded, rung)
            except Refusal as refusal:
                error = explain_refusal(refusal, self._endpoint.model, self._endpoint.settings)
                if must_answer or isinstance(error, ContextTooSmall):
                    raise error from refusal
                self._findings.append(f"{name}: refused ({refusal})")
                return False
            except Oversize:
                text = ""
            if not obeys(text):
                self._findings.append(f"{name}: not obeyed, got {one_line(text, 60)!r}")
                return False
        self._findings.append(f"{name}: obeyed")
        return True

    def _say(self, request: Request, rung: Rung) -> str:
        def read(value: Mapping[str, Any]) -> str:
            self._answers_as = answering_model(value)
            return str(value["choices"][0]["message"].get("content") or "")

        body = chat_body(self._endpoint.model, request, rung)
        return self._transport.call("POST", "/chat/completions", read, body, max_bytes(request))


def _meets_schema(text: str) -> bool:
    try:
        code = json.loads(text, strict=False)["code"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return isinstance(code, str) and re.fullmatch(_CODE, code) is not None


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except (ValueError, RecursionError):
        return False
