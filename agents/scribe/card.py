"""What a trained model says of itself in `training.json`: how it is asked."""

import json
from pathlib import Path
from typing import Any

MODEL_DIR = Path(__file__).parent / "model"
FILE = "training.json"


def prompt_options(folder: Path = MODEL_DIR) -> dict[str, Any]:
    """The options of an agent that asks the model: the prompt that it knows, and its length.

    That is what searched best, or as long as in its lessons; the first model says neither.
    """
    said = _read(folder)
    lines = said.get("lines", said.get("settings", {}).get("lines"))
    return {"prompt": "compact"} if lines is None else {"prompt": "compact", "lines": lines}


def _read(folder: Path) -> dict[str, Any]:
    file = folder / FILE
    return dict(json.loads(file.read_text())) if file.exists() else {}
