"""What a folder of weights tells about its model: how many parameters, and which revision.

Read from the headers of `*.safetensors` files, so no tensor is loaded whatever the size of the
model.
"""

import hashlib
import json
from math import prod
from pathlib import Path

from safetensors import safe_open

from nasarena.search.errors import InvalidSetting

_SAMPLE_BYTES = 1 << 20
INDEX = "model.safetensors.index.json"
# Keys of a `config.json` that say that only some of the parameters work on a token.
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


def active_params(folder: Path) -> int | None:
    """Parameters that work on each token; None for a mixture of experts, or without weights."""
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict) or any(config.get(key) for key in _EXPERTS):
        return None
    return sum(_parameters(file) for file in _weight_files(folder)) or None


def revision(folder: Path) -> str:
    """Hash of configuration, tokenizer and the beginning and size of all weight files; or ""."""
    files = [folder / "config.json", folder / "tokenizer.json", *folder.glob("*.safetensors")]
    digest = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        with open(file, "rb") as stream:
            digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:16] if files[0].is_file() else ""


def shards(folder: Path) -> set[str]:
    """The files of weights that the index names; none without an index.

    Raises InvalidSetting for one that cannot be read.
    """
    try:
        return set(json.loads((folder / INDEX).read_text())["weight_map"].values())
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidSetting(f"{folder / INDEX} cannot be read: {error!r}") from error


def _weight_files(folder: Path) -> list[Path]:
    """Those that the index names, where there is one: some folders hold the weights twice."""
    files = sorted(folder.glob("*.safetensors"))
    try:
        named = shards(folder)
    except InvalidSetting:
        return files
    return [file for file in files if file.name in named] if named else files


def _parameters(file: Path) -> int:
    with safe_open(file, framework="numpy") as weights:
        return sum(prod(weights.get_slice(name).get_shape()) for name in weights.keys())
