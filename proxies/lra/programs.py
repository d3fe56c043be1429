"""Encoders as whole programs: what one must define, and what it is trained and scored by.

A program defines `build(config)`. The task's embedding, head and training stand around it in a
frame of ours (`frame.py.jinja`), which the program cannot name. Blind changes are those of the
catalogue: random lists of edits, applied as code.
"""

from functools import cache, partial

from nasarena.proxies.lra.catalogue import (
    BASELINES,
    FRAME,
    MORE_PARAMETERS,
    Variant,
    edit_space,
    render,
)
from nasarena.proxies.lra.examples import LabelledData
from nasarena.proxies.lra.tasks import SIZES, SizeName
from nasarena.proxies.programs.script_task import ScriptTask
from nasarena.proxies.programs.template import load_template
from nasarena.search.candidates.program_check import Interface
from nasarena.search.candidates.program_space import Catalogue, ProgramSpace
from nasarena.search.proxy import Split

INTERFACE = Interface(
    (("build", ("config",)),),
    ("torch", "math", "typing", "dataclasses", "collections", "functools", "itertools"),
)
_FORM = (
    "build gets a dict with length, width, depth, heads and mlp_width, all integers, and gives a "
    "torch module: module(x, mask) takes vectors [batch, length, width] and booleans [batch, "
    "length], false where a sequence is filled up, and gives [batch, width]. An embedding before "
    "it, a head after it and the training are given."
)
_VARIANTS = {
    "fixed": f"A model may keep at most {MORE_PARAMETERS - 1:.0%} more numbers, parameters and "
    "buffers together, than with the given encoder.",
    "configurable": "Sizes are free, and a dict SETTINGS at top level may set batch, rate, warmup, "
    "schedule (linear, cosine or constant), weight_decay, beta2, clip and label_smoothing of the "
    "training.",
}


@cache
def program_space(task: str, variant: Variant = "fixed", size: SizeName = "cpu") -> ProgramSpace:
    """All programs of an encoder; drafts are the baselines, the given Transformer first."""
    edits = edit_space(task, variant, size)
    make = partial(render, task=task, variant=variant, size=size)
    drafts = tuple((name, make(candidate)) for name, candidate in BASELINES.items())
    about = f"{edits.about} {_FORM} {_VARIANTS[variant]}"
    return ProgramSpace(edits.task, INTERFACE, drafts, about, Catalogue(edits, make))


def frame_of(task: str, variant: Variant, size: SizeName) -> str:
    """The task's part, which finds `build` and `SETTINGS` where it is run."""
    body = load_template(FRAME).render(
        size=SIZES[task, size], is_configurable=variant == "configurable"
    )
    return f"import math\n\nimport torch\n{body}"


def label_task(
    name: str, data: LabelledData, split: Split, frame: str, length: int, num_classes: int
) -> ScriptTask:
    """To label the rows of a split, after a training on those of `train`."""
    examples = data.splits[split]
    return ScriptTask(
        name,
        data.splits["train"].rows(),
        examples.inputs,
        length=length,
        num_windows=len(examples.inputs),
        labels=examples.labels,
        num_classes=num_classes,
        frame=frame,
    )
