"""How a vLLM server is started: its settings, the command line and the environment they come to.

Without a GPU those are the flags and variables under which the CPU build of vLLM was measured to
work best, sized by the model (`serving_size.py`); with one, vLLM's own defaults.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from nasarena.agents.llm.serving_size import BLOCK, USUAL, Load, read_facts, serving_size
from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import free_memory, num_cores, thread_environment
from nasarena.search.settings import settings

SERVING = "serving.json"  # beside a model's weights: {"structured_outputs_backend": "xgrammar"}
# Bounded strings hold and no control characters slip in only with this backend. It feeds fixed
# text in byte by byte, though: a model that has learned whole pieces as one token names another.
_BACKEND = "guidance"
_UNKNOWN = ("--dtype", "float32", "--kv-cache-memory-bytes", str(2**30))  # no decoder like others
# An engine that has its worker in a process of its own polls for it without a pause, which takes a
# core away from the model: here both are one process. vLLM grants that with this variable alone.
_ONE_PROCESS = ("--distributed-executor-backend", "uni")
_CPU_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "TORCHDYNAMO_DISABLE": "1",  # dynamo would compile C++ on first use
}
_ENVIRONMENT = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


@settings
class ServerOptions:
    """How a server is started, whatever it serves."""

    port: int = Field(0, ge=0, le=65535, description="0 takes a free one")
    context: Annotated[int, Field(ge=1)] | None = Field(
        None, description="tokens of the longest prompt with reply; null is what the model has"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto, cpu or cuda")
    python: str | None = Field(
        None, description="of vLLM's environment; null: NASARENA_VLLM_PYTHON or .venv-vllm"
    )
    arguments: tuple[str, ...] = Field(
        (), description='passed to vLLM as they are, as ["--tensor-parallel-size","2"]'
    )
    start_timeout_s: float = Field(900.0, gt=0, description="seconds until it must be healthy")


@settings
class ServerSettings(ServerOptions):
    """What to serve and where. `model` is a folder in transformers format or a name on the hub."""

    model: str = Field(kw_only=True)
    runs: int = Field(
        USUAL.runs, ge=1, description="runs that ask at once; sizes a server on a CPU"
    )
    prompt_tokens: int = Field(
        USUAL.prompt_tokens,
        ge=0,
        description="tokens of the longest prompt with reply that is to come; sizes likewise",
    )
    host: str = Field("127.0.0.1", description="where it listens; 0.0.0.0 lets other machines in")
    served_as: str | None = Field(
        None,
        description="what the server calls the model, and records say; null: its folder's name",
    )

    def __post_init__(self) -> None:
        if not self.model:
            raise InvalidSetting("model must be a folder or a name on the hub, got nothing")
        is_file = self.model.endswith(".gguf") and Path(self.model).is_file()  # made a folder of
        is_path = self.model[0] in "./~" and not is_file
        if is_path and not (Path(self.model) / "config.json").is_file():
            raise InvalidSetting(
                f"model must be a folder in transformers format or a name on the hub; "
                f"{self.model} has no config.json"
            )
        if any(word.partition("=")[0] == "--api-key" for word in self.arguments):
            raise InvalidSetting(
                "arguments are recorded, so a key must not stand in them: put it into the "
                "environment variable VLLM_API_KEY, and name that in llm.key_variable"
            )


def command(settings: ServerSettings, python: str, port: int) -> list[str]:
    """The command line of the server."""
    words = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", settings.model]
    words += ["--host", settings.host, "--port", str(port), "--seed", "0"]
    name = settings.served_as or folder_name(settings.model)
    if name is not None:
        words += ["--served-model-name", name]
    constraints = {"backend": _backend(Path(settings.model)), "disable_any_whitespace": True}
    words += ["--enable-prompt-tokens-details", "--structured-outputs-config"]
    words.append(json.dumps(constraints, separators=(",", ":")))
    if not uses_cuda(settings.device):
        # A prompt read in parts kills vLLM 0.32 on a CPU where its request has a seed, as all have:
        # it would turn the generator of the CPU back, which cannot be.
        words += ["--enforce-eager", "--no-enable-chunked-prefill", *_cpu_size(settings)]
        words += _ONE_PROCESS if _is_one_process(settings) else ()
    elif settings.context is not None:
        words += _context_flag(settings.context)
    return [*words, *settings.arguments]


def folder_name(model: str) -> str | None:
    """How records call a folder of weights, which lies elsewhere on another machine; None for what
    is no folder here."""
    folder = Path(model)
    return folder.resolve().name if folder.is_dir() else None


def _cpu_size(settings: ServerSettings) -> Sequence[str]:
    """Flags that size a server on a CPU by its model, or by defaults where it is not known."""
    facts = read_facts(Path(settings.model))
    if facts is None:
        context = _context_flag(settings.context) if settings.context else []
        return [*_UNKNOWN, *_sequences_flag(USUAL.runs), *context]
    load = Load(settings.runs, settings.prompt_tokens)
    size = serving_size(facts, settings.context, free_memory(), settings.model, load)
    cache = ["--kv-cache-memory-bytes", str(size.cache_bytes)]
    return [
        *("--dtype", size.dtype),
        *("--block-size", str(BLOCK)),
        *_sequences_flag(size.num_sequences),
        *_context_flag(size.context),
        *cache,
    ]


def _sequences_flag(num_sequences: int) -> list[str]:
    return ["--max-num-seqs", str(num_sequences)]


def _is_one_process(settings: ServerSettings) -> bool:
    """Unless the user divides the model, or names who executes it."""
    return not any("parallel" in word or "executor" in word for word in settings.arguments)


def _context_flag(context: int) -> list[str]:
    return ["--max-model-len", str(context)]


def _backend(folder: Path) -> str:
    """What constrains replies: the backend that the model asks for, else the strictest one."""
    try:
        return str(json.loads((folder / SERVING).read_text())["structured_outputs_backend"])
    except FileNotFoundError:
        return _BACKEND
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidSetting(
            f"{folder / SERVING} must hold a structured_outputs_backend: {error!r}"
        ) from error


def environment(settings: ServerSettings, cache: Path) -> Mapping[str, str]:
    """The environment of the server; variables of vLLM that the user has set there stay."""
    values = {"VLLM_CACHE_ROOT": str(cache), **os.environ, **_ENVIRONMENT}
    if Path(settings.model).is_dir():
        values |= _OFFLINE
    if not uses_cuda(settings.device):
        chosen = {key: value for key, value in os.environ.items() if key.startswith("VLLM_")}
        # The smallest of these numbers is what torch takes: MKL's, left at 1, would keep it at one.
        num_threads = num_cores() if _is_one_process(settings) else 1
        values |= {**thread_environment(num_threads), **_CPU_ENVIRONMENT, **chosen}
    return values


def uses_cuda(device: str) -> bool:
    """Whether the server will run on an NVIDIA GPU; `auto` asks nvidia-smi, unless all of them are
    hidden from this process."""
    if device != "auto":
        return device == "cuda"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    program = shutil.which("nvidia-smi")
    return program is not None and subprocess.run([program], capture_output=True).returncode == 0
