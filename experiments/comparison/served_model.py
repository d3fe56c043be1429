"""What `llm.model` names, as what a server is given: a packaged model or a GGUF file is made ready.

Whatever would end the start of the server is looked for first: before a model is fetched, and
before a server loads it for a minute.
"""

from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console

from nasarena.agents.llm.server import VllmServer, vllm_python
from nasarena.agents.llm.server_command import ServerSettings, uses_cuda
from nasarena.agents.llm.serving_size import Load, ModelFacts, read_facts, serving_size
from nasarena.agents.models.folder import Progress, describe, fetch_gguf, make_folder, ready_folder
from nasarena.agents.models.packaged import PACKAGED
from nasarena.agents.models.weights_folder import check_folder
from nasarena.experiments.execution.console import progress_bar, timed_bar
from nasarena.search.machine import free_memory

_OWN_TEMPLATE = "--chat-template"  # an argument of vLLM that makes up for a missing one
# Seconds on two cores of a server: measured with the two packaged models.
_START_S, _START_S_PER_BILLION = 40.0, 25.0
_CONVERT_S, _CONVERT_S_PER_BILLION = 15.0, 30.0


def ready_model(settings: ServerSettings, console: Console) -> str:
    """The folder of a packaged model or of a GGUF file, made ready if it is not yet; else the name.

    Raises as `make_folder`, VllmFailed where no server can be started or the model does not fit
    into the memory, and InvalidSetting for a folder that cannot be served.
    """
    name = settings.model
    vllm_python(settings.python)
    if name not in PACKAGED and not name.endswith(".gguf"):
        if Path(name).is_dir():
            has_own = any(word.startswith(_OWN_TEMPLATE) for word in settings.arguments)
            check_folder(Path(name), needs_template=not has_own)
        return name
    if name in PACKAGED and ready_folder(name) is None:
        console.print(describe(PACKAGED[name]), soft_wrap=True)
    return make_model(name, console, settings)


def make_model(
    name: str,
    console: Console,
    served: ServerSettings | None = None,
    sha256: str | None = None,
    is_file: bool = False,
) -> str:
    """The folder of a model, made ready with its progress on `console`. Raises as `make_folder`.

    With `served` it is not even begun where the model would not fit a server of these settings.
    With `is_file` it is the GGUF file of a packaged one, for servers that read such files.
    """

    def needs(facts: ModelFacts) -> None:
        if served is not None and not uses_cuda(served.device):
            load = Load(served.runs, served.prompt_tokens)
            serving_size(facts, served.context, free_memory(), name, load)

    def converting(title: str, facts: ModelFacts) -> AbstractContextManager[None]:
        bar.stop()
        seconds = _CONVERT_S + _CONVERT_S_PER_BILLION * facts.num_parameters / 1e9
        return timed_bar(console, f"converting {title} to bfloat16 safetensors", seconds)

    def receive(num_bytes: int, total: int) -> None:
        bar.update(task, completed=num_bytes, total=total, visible=True)

    with progress_bar(console) as bar:
        task = bar.add_task(f"fetching {name}", total=None, visible=False)
        said = Progress(
            lambda line: console.print(line, soft_wrap=True), receive, converting, needs
        )
        return str(fetch_gguf(name, said) if is_file else make_folder(name, said, sha256))


def start_server(server: VllmServer, console: Console) -> None:
    """Start it and return when it is healthy, with the time on `console`. Raises as `start`."""
    model = server.settings.model
    console.print(f"log of vLLM: {server.log}", soft_wrap=True)
    facts = read_facts(Path(model))
    seconds = _START_S + _START_S_PER_BILLION * (facts.num_parameters if facts else 0) / 1e9
    with timed_bar(console, f"starting vLLM for {model}", seconds):
        server.start()
