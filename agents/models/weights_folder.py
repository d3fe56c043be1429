"""A folder in transformers format, looked at before a server loads it for a minute in vain."""

import json
from pathlib import Path

from nasarena.agents.llm.text import one_line
from nasarena.agents.llm.weights import INDEX, shards
from nasarena.search.errors import InvalidSetting


def check_folder(folder: Path, needs_template: bool = True) -> None:
    """Raise InvalidSetting for a folder that no server can load, or that it could not talk to."""
    if not (folder / "config.json").is_file():
        raise InvalidSetting(f"{folder} is no folder in transformers format: it has no config.json")
    _check_weights(folder)
    if needs_template and not _has_chat_template(folder):
        raise InvalidSetting(
            f"the tokenizer in {folder} has no chat template, so the model does not know who says "
            f"what; take an instruct model"
        )


def _check_weights(folder: Path) -> None:
    """Every file of weights is there and as long as its header says."""
    from safetensors import SafetensorError, safe_open

    files = {file.name for file in folder.glob("*.safetensors")}
    if not files:
        raise InvalidSetting(f"{folder} has no weights: no *.safetensors is in it")
    missing = sorted(shards(folder) - files)
    if missing:
        raise InvalidSetting(f"{folder} lacks {missing[0]}, which {INDEX} names")
    for name in sorted(files):
        try:
            with safe_open(folder / name, framework="numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise InvalidSetting(
                f"{folder / name} is truncated or damaged: {one_line(str(error), 160)}"
            ) from error


def _has_chat_template(folder: Path) -> bool:
    if list(folder.glob("chat_template*")):
        return True
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(isinstance(settings, dict) and settings.get("chat_template"))
