"""What each packaged model needs of this machine: disk, memory, and the context that fits."""

import shutil
from collections.abc import Iterator

from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server_command import uses_cuda
from nasarena.agents.llm.serving_size import needed_bytes, serving_size
from nasarena.agents.models.conversion import conversion_bytes
from nasarena.agents.models.folder import draft_bytes, kept_bytes, models_folder, ready_folder
from nasarena.agents.models.packaged import PACKAGED, PackagedModel
from nasarena.search.machine import free_memory

_GIB = 2**30


def model_findings() -> Iterator[tuple[str, str, bool | None]]:
    """Name, words, and True for a model that is there; none is missed by a comparison."""
    for model in PACKAGED.values():
        is_there = ready_folder(model.name) is not None
        place = _place(model, is_there)
        yield model.name, f"{place}; {_serving(model)}", True if is_there else None


def _place(model: PackagedModel, is_there: bool) -> str:
    kept = kept_bytes(model.facts) / _GIB
    if is_there:
        return f"in the cache, {kept:.1f} GiB"
    needed, memory = draft_bytes(model), conversion_bytes(model.facts.num_parameters)
    existing = next(one for one in (models_folder(), *models_folder().parents) if one.exists())
    lacks = [
        f"{free / _GIB:.1f} GiB {what} are free"
        for what, wanted, free in (
            ("of disk", needed, shutil.disk_usage(existing).free),
            ("of memory", memory, free_memory()),
        )
        if wanted > free
    ]
    words = f", but only {' and '.join(lacks)}" if lacks else ""
    return (
        f"not there (nasarena model {model.name}): {model.download_bytes / 1e6:,.0f} MB to fetch, "
        f"{needed / _GIB:.1f} GiB of disk and {memory / _GIB:.1f} of memory to convert{words}, "
        f"{kept:.1f} GiB kept"
    )


def _serving(model: PackagedModel) -> str:
    """How a server of it would be made here; on a GPU vLLM sizes itself."""
    if uses_cuda("auto"):
        return "vLLM sizes it by the GPU"
    try:
        size = serving_size(model.facts, None, free_memory(), "it")
    except VllmFailed as error:
        return f"cannot be served here: {error}"
    return (
        f"served in {size.dtype} it takes {needed_bytes(model.facts, size) / _GIB:.1f} GiB, "
        f"{size.context} tokens of context, {size.num_sequences} replies at once"
    )
