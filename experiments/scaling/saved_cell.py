"""A trained model as commands use it: on a device, with its tokens and its training's result."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasarena.experiments.scaling.likelihood import Encode, text_encoder
from nasarena.proxies.data.tokenizer import read_tokenizer
from nasarena.proxies.scaled.cell_folder import TOKENIZER, Result, read_results
from nasarena.proxies.scaled.checkpoint import Checkpoint
from nasarena.proxies.scaled.model import ScaledModel
from nasarena.proxies.scaled.saved_model import find_checkpoint, load_model
from nasarena.proxies.training.devices import choose_device
from nasarena.search.errors import InvalidSetting
from nasarena.search.notation import run_lengths

_BYTES = 256


@dataclass(frozen=True, slots=True)
class SavedCell:
    """`result` is that of the checkpoint's budget, None for a file outside a cell's folder.

    `tokenizer` is the JSON of its tokens, None: bytes.
    """

    file: Path
    model: ScaledModel
    checkpoint: Checkpoint
    tokenizer: str | None
    result: Result | None

    @property
    def encode(self) -> Encode:
        """Text to its tokens. Raises InvalidSetting where they are not those of the model."""
        size = self.model.shape.vocab_size
        if self.tokenizer is None and size != _BYTES:
            raise InvalidSetting(
                f"tokenizer=FILE must give the tokenizer.json of the model's {size} tokens: there "
                f"is none beside {self.file}"
            )
        return text_encoder(self.tokenizer)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it is, in plain values."""
        return {
            "checkpoint": str(self.file),
            "pattern": run_lengths(self.model.pattern),
            "parameters": self.model.num_parameters,
            "steps": self.checkpoint.step,
            "seed": self.checkpoint.identity.get("seed"),
            "device": str(self.model.embedding.weight.device),
        }


def open_saved_cell(place: str, tokenizer: str | None = None, device: str = "cpu") -> SavedCell:
    """The model of a checkpoint or of a cell's folder, in float32.

    Raises InvalidSetting for a place without one, a device that is not there and a tokenizer of
    another vocabulary, ProxyFailed for a damaged file.
    """
    chosen = choose_device(device)
    file = find_checkpoint(Path(place))
    model, checkpoint = load_model(file)
    beside = file.with_name(TOKENIZER)
    named = tokenizer or (str(beside) if beside.exists() else None)
    definition = None
    if named is not None:
        vocabulary = read_tokenizer(named)
        if vocabulary.vocab_size != model.shape.vocab_size:
            raise InvalidSetting(
                f"tokenizer must have the {model.shape.vocab_size} tokens of the model, "
                f"got {vocabulary.vocab_size}"
            )
        definition = vocabulary.definition
    model.to(chosen).eval()
    return SavedCell(file, model, checkpoint, definition, _result(file, checkpoint.step))


def _result(file: Path, steps: int) -> Result | None:
    if file.name != f"final-{steps}.safetensors":
        return None
    return next((one for one in read_results(file.parent) if one.steps == steps), None)
