"""A trained model out of a checkpoint: the file says what was trained, its tensors are checked."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from nasarena.proxies.scaled.cell_folder import read_results
from nasarena.proxies.scaled.checkpoint import Checkpoint, load_checkpoint
from nasarena.proxies.scaled.model import ScaledModel, empty_model
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.search.errors import InvalidSetting, ProxyFailed
from nasarena.search.settings import build


def find_checkpoint(path: Path) -> Path:
    """`path` itself, or in the folder of a cell the weights of its largest finished budget.

    Raises InvalidSetting where there is none.
    """
    if not path.is_dir():
        if not path.exists():
            raise InvalidSetting(f"checkpoint must be a file or a cell's folder, got {path}")
        return path
    results = read_results(path)
    if not results:
        raise InvalidSetting(f"a cell must have a finished budget, got none in {path}")
    return path / f"final-{results[-1].steps}.safetensors"


def load_model(file: Path) -> tuple[ScaledModel, Checkpoint]:
    """The model in float32 on the CPU, and the checkpoint that it came from.

    Raises ProxyFailed for a damaged file and for one whose tensors are not those of its shape.
    """
    checkpoint = load_checkpoint(file)
    try:
        identity = checkpoint.identity
        shape = build(ScaledShape, identity["shape"], "shape")
        model = empty_model(str(identity["pattern"]), shape)
        model.load_state_dict(_weights(model, checkpoint.tensors), assign=True)
    except (InvalidSetting, KeyError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ProxyFailed(f"{file} is no model of ours: {reason}") from error
    return model, checkpoint


def _weights(model: ScaledModel, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights among the tensors, which may hold the optimizer's moments too."""
    return {name: tensors[name] for name in model.state_dict() if name in tensors}
