"""The best script that this project has found for the task, to measure others against.

No searcher is told. Not in `catalogue.py`: a better list is no other task, and no score depends on
it.
"""

from typing import Literal

from nasarena.proxies.autoresearch.catalogue import render

# Found by BoTorch on the default task, 2026-11-30, two CPU cores: 0.558 bits per byte better than
# the given script there (docs/measurements/design_attribution-cpu-2.csv).
BEST_EDITS = (
    "depth=1 width=48 mlp_ratio=2 window=8 qk_norm=off embedding_skip=on tie_embeddings=on "
    "matrix_lr=0.0402 momentum=0.8 adam_lr=0.05 average=0.8 warmdown=0.8"
)


def best_known(mode: Literal["edits", "code"]) -> str:
    """The list of edits, or the program that it makes."""
    return BEST_EDITS if mode == "edits" else render(BEST_EDITS)
