"""What `llm.model` names, as what a server is given: a packaged model or a GGUF file is made ready.

Folders and names on the hub go to the server as they are.
"""

from rich.console import Console

from nasarena.agents.models.folder import Progress, describe, make_folder, ready_folder
from nasarena.agents.models.packaged import PACKAGED
from nasarena.experiments.execution.console import progress_bar


def served_model(name: str, console: Console) -> str:
    """The folder of a packaged model or of a GGUF file, made ready if it is not yet; else `name`.

    Raises as `make_folder`.
    """
    if name not in PACKAGED and not name.endswith(".gguf"):
        return name
    if name in PACKAGED and ready_folder(name) is None:
        console.print(describe(PACKAGED[name]), soft_wrap=True)
    return make_model(name, console)


def make_model(name: str, console: Console) -> str:
    """The folder of a model, made ready with its progress on `console`. Raises as `make_folder`."""
    with progress_bar(console) as bar:
        task = bar.add_task(f"fetching {name}", total=None, visible=False)

        def receive(num_bytes: int, total: int) -> None:
            bar.update(task, completed=num_bytes, total=total, visible=True)

        progress = Progress(lambda line: console.print(line, soft_wrap=True), receive)
        return str(make_folder(name, progress))
