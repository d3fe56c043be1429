"""The newest state of each part of a cell on disk: what a training goes on from.

One process writes a file, several processes that train together a folder
(distributed/sharded_checkpoint.py). Either is read by any number of processes; of both the one of
more steps is taken.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from nasarena.proxies.scaled.cell_folder import CellFolder
from nasarena.proxies.scaled.checkpoint import (
    Checkpoint,
    Identity,
    load_checkpoint,
    read_checkpoint_header,
    refuse_another,
    save_checkpoint,
)
from nasarena.proxies.scaled.distributed.ranks import Ranks
from nasarena.proxies.scaled.distributed.sharded_checkpoint import (
    drop_shards,
    load_shards,
    read_header,
    save_shards,
)
from nasarena.proxies.scaled.train_state import TrainState
from nasarena.search.errors import ProxyFailed

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptState:
    """Checkpoints in `folder` of what `identity` says; all `ranks` call its methods together."""

    folder: CellFolder
    identity: Identity
    ranks: Ranks

    def save(self, part: str, state: TrainState) -> None:
        """Raises ProxyFailed where weights are no numbers, and where nothing can be written."""
        tensors = state.tensors()
        self._refuse_no_numbers(state, tensors)
        file, shards = self.folder.checkpoint(part), self.folder.shards(part)
        if self.ranks.is_joined:
            save_shards(shards, state.step, tensors, self.identity, self.ranks)
            self.ranks.agree(lambda: file.unlink(missing_ok=True))
        else:
            save_checkpoint(file, Checkpoint(state.step, tensors, self.identity))
            drop_shards(shards)

    def save_weights(self, part: str, state: TrainState) -> None:
        """Write the weights alone, whole, in one file."""
        weights, file = state.whole_weights(), self.folder.checkpoint(part)
        found = Checkpoint(state.step, weights, self.identity)
        self.ranks.agree(lambda: save_checkpoint(file, found))

    def resume(self, part: str, most: int, state: TrainState) -> bool:
        """Whether a checkpoint of `part` of at most so many steps was there to go on from.

        Raises InvalidSetting for one of something else, ProxyFailed for a damaged one.
        """
        step, in_shards = self.ranks.agree(lambda: self._find(part))
        if step is None:
            return False
        if step > most:
            if self.ranks.rank == 0:
                _LOG.warning(
                    "the trunk in %s is past step %d, where a budget added later branches off: it "
                    "is trained anew", self.folder.path, most,
                )  # fmt: skip
            return False
        if in_shards:
            tensors: Mapping[str, Tensor] = state.tensors()
            load_shards(self.folder.shards(part), tensors, self.ranks)
        else:
            file = self.folder.checkpoint(part)
            tensors = self.ranks.together(lambda: load_checkpoint(file)).tensors
        state.restore(step, tensors)
        return True

    def _find(self, part: str) -> tuple[int | None, bool]:
        """The step of the newest checkpoint, and whether it is in shards."""
        file, shards = self.folder.checkpoint(part), self.folder.shards(part)
        whole = read_checkpoint_header(file) if file.exists() else None
        header = read_header(shards)
        if header is not None and (whole is None or whole.step < header[0]):
            refuse_another(header[1], self.identity, shards)
            return header[0], True
        if whole is None:
            return None, False
        refuse_another(whole.identity, self.identity, file)
        return whole.step, False

    def _refuse_no_numbers(self, state: TrainState, tensors: Mapping[str, Tensor]) -> None:
        parts = [one.to_local() if isinstance(one, DTensor) else one for one in tensors.values()]
        wrong = torch.tensor(float(not all(bool(part.isfinite().all()) for part in parts)))
        if self.ranks.is_joined:
            dist.all_reduce(wrong)
        if wrong > 0:
            raise ProxyFailed(
                f"weights of {state.pattern} must be numbers, got others after step {state.step}: "
                f"try a smaller learning_rate; the checkpoint before is kept"
            )
