"""Encoders as whole programs: what one must define, and what it is trained and scored by.

A program defines `build(config)`. The task's embedding, head and training stand around it in a
frame of ours (`frame.py.jinja`), which the program cannot name. Blind changes are those of the
catalogue: random lists of edits, applied as code. As published, encoders are modules of Flax: with
`framework=flax` so are they here, without a catalogue.
"""

from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

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
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import Split

Framework = Literal["torch", "flax"]
FLAX_ENCODER = Path(__file__).parent / "flax_encoder.py.jinja"
FLAX_FRAME = Path(__file__).parent / "flax_frame.py.jinja"
_PLAIN = ("math", "typing", "dataclasses", "collections", "functools", "itertools")
_PACKAGES: dict[Framework, tuple[str, ...]] = {"torch": ("torch",), "flax": ("jax", "flax")}
_MODULES: dict[Framework, str] = {"torch": "torch module", "flax": "module of flax.linen"}
_FLAX_DRAFTS = (("Transformer", "attention"), ("linear attention", "linear"))
_FORM = (
    "build gets a dict with length, width, depth, heads and mlp_width, all integers, and gives a "
    "{module}: module(x, mask) takes vectors [batch, length, width] and booleans [batch, "
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
def program_space(
    task: str, variant: Variant = "fixed", size: SizeName = "cpu", framework: Framework = "torch"
) -> ProgramSpace:
    """All programs of an encoder; drafts are baselines, the given Transformer first.

    Raises InvalidSetting where Flax is wanted and not installed.
    """
    edits = edit_space(task, variant, size)
    interface = Interface((("build", ("config",)),), (*_PACKAGES[framework], *_PLAIN))
    form = _FORM.format(module=_MODULES[framework])
    about = f"{edits.about} {form} {_VARIANTS[variant]}"
    if framework == "flax":
        if find_spec("flax") is None:
            raise InvalidSetting("framework=flax needs Flax: pip install 'nasarena[flax]'")
        texts = [
            (name, load_template(FLAX_ENCODER).render(mixer=mixer) + "\n")
            for name, mixer in _FLAX_DRAFTS
        ]
        return ProgramSpace(f"{edits.task} flax", interface, tuple(texts), about)
    make = partial(render, task=task, variant=variant, size=size)
    drafts = tuple((name, make(candidate)) for name, candidate in BASELINES.items())
    return ProgramSpace(edits.task, interface, drafts, about, Catalogue(edits, make))


def framework_of(space: ProgramSpace) -> Framework:
    """What the programs of a space are written in."""
    return "flax" if "flax" in space.interface.imports else "torch"


def frame_of(task: str, variant: Variant, size: SizeName, framework: Framework = "torch") -> str:
    """The task's part, which finds `build` and `SETTINGS` where it is run."""
    is_flax = framework == "flax"
    body = load_template(FLAX_FRAME if is_flax else FRAME).render(
        size=SIZES[task, size], is_configurable=variant == "configurable"
    )
    return f"{body}\n" if is_flax else f"import math\n\nimport torch\n{body}"


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
