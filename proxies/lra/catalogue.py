"""The edits of an encoder, and the program that a list of them makes.

`fixed`: depth, width, heads, rates and all else of the training are given, and a model may have 10
percent more parameters than the given one, as Long Range Arena asks of like-for-like entries.
`configurable`: those are edits too, and parameters are free. The given encoder is a Transformer;
baselines are written as edits of it.
"""

from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from nasarena.proxies.lra.tasks import SIZES, LraSize, SizeName
from nasarena.proxies.programs.template import load_template, render_edits
from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace

Variant = Literal["fixed", "configurable"]
ENCODER = Path(__file__).parent / "encoder.py.jinja"
FRAME = Path(__file__).parent / "frame.py.jinja"
MORE_PARAMETERS = 1.1  # of a fixed model, over the given one
_HEADED = ("attention", "local", "longformer", "linear")
_LINEAR, _SSM = (("mixer", ("linear",)),), (("mixer", ("ssm",)),)

BASELINES = {
    "Transformer": "default",
    "local attention": "mixer=local",
    "linear attention": "mixer=linear",
    "Performer": "mixer=linear feature_map=random",
    "Longformer-like": "mixer=longformer",
    "Conformer-like": "convolution=7 activation=silu",
    "S4-like": "mixer=ssm",
    "Mamba-like": "mixer=ssm ssm_poles=real ssm_ways=one ssm_gate=on convolution=3",
}
_ABOUT = {
    "lra-listops": "An encoder reads nested lists of digits under MIN, MAX, MED and SUM modulo 10, "
    "and a head names their value, 0 to 9.",
    "lra-text": "An encoder reads the bytes of a document, and a head names its class, one of two.",
    "lra-retrieval": "An encoder reads the bytes of two documents, each alone, and a head says "
    "whether they belong together.",
}
_TRAINED = (
    "It is trained from scratch for a short and fixed time on one CPU core, where a cheaper model "
    "makes more steps. The score is its accuracy on examples that it has not seen."
)
_MIXING = (
    Edit("mixer", "choice", "attention", "what mixes places",
         choices=("attention", "local", "longformer", "linear", "ssm")),
    Edit("every_other", "choice", "same", "the mixer of every second layer",
         choices=("same", "attention", "local", "linear", "ssm")),
    Edit("window", "choice", "16", "places of a block of local and Longformer-like attention",
         choices=("4", "8", "16", "32"), requires=(("mixer", ("local", "longformer")),)),
    Edit("global_tokens", "choice", "1", "places that see all and are seen by all",
         choices=("1", "2", "4"), requires=(("mixer", ("longformer",)),)),
    Edit("feature_map", "choice", "elu", "of linear attention; random: as in Performer",
         choices=("elu", "relu", "random"), requires=_LINEAR),
    Edit("num_features", "choice", "32", "random features of a head",
         choices=("16", "32", "64"), requires=(("feature_map", ("random",)),)),
    Edit("ssm_states", "choice", "8", "states of a channel", choices=("2", "4", "8", "16"),
         requires=_SSM),
    Edit("ssm_poles", "choice", "complex", "of the state's matrix", choices=("complex", "real"),
         requires=_SSM),
    Edit("ssm_ways", "choice", "both", "directions in which it runs", choices=("both", "one"),
         requires=_SSM),
    Edit("ssm_gate", "switch", "off", "a gate on what it gives", requires=_SSM),
    Edit("convolution", "choice", "off", "width of a depthwise convolution after the mixer",
         choices=("off", "3", "7", "15")),
    Edit("qk_norm", "switch", "off", "norm of queries and keys", requires=(("mixer", _HEADED),)),
)  # fmt: skip
_REST = (
    Edit("positions", "choice", "learned", "how a place is known",
         choices=("learned", "sinusoid", "rotary", "none")),
    Edit("pooling", "choice", "first", "how a sequence becomes a vector",
         choices=("first", "mean", "max", "attention")),
    Edit("downsample", "choice", "off", "neighbours that become one place after the first layer",
         choices=("off", "2", "4")),
    Edit("norm", "choice", "layer", "of each part", choices=("layer", "rms")),
    Edit("norm_place", "choice", "before", "before a part, or after it is added",
         choices=("before", "after")),
    Edit("activation", "choice", "gelu", "of the MLP",
         choices=("gelu", "relu", "silu", "relu2", "swiglu")),
    Edit("layer_scale", "choice", "off", "first value of a factor on what a part adds",
         choices=("off", "0.1", "1.0")),
    Edit("share_layers", "switch", "off", "all layers have the same weights"),
    Edit("init", "choice", "torch", "of matrices: PyTorch's, by their width, 0.02, orthogonal",
         choices=("torch", "scaled", "normal", "orthogonal")),
)  # fmt: skip
# Those of the training become SETTINGS of the program; `frame.py.jinja` has their defaults.
_TRAINING = (
    Edit("rate", "log", "0.002", "learning rate of AdamW", low=0.0002, high=0.02),
    Edit("batch", "choice", "32", "examples of a step", choices=("8", "16", "32", "64")),
    Edit("schedule", "choice", "linear", "of the learning rate",
         choices=("linear", "cosine", "constant")),
    Edit("warmup", "float", "0.1", "first share of the time, in which the rate rises",
         low=0, high=0.4),
    Edit("weight_decay", "float", "0.1", "per unit of learning rate", low=0, high=1),
    Edit("beta2", "choice", "0.98", "of AdamW", choices=("0.9", "0.95", "0.98", "0.999")),
    Edit("clip", "choice", "1", "bound of the gradient's norm; 0: none",
         choices=("0", "0.3", "1", "3")),
    Edit("label_smoothing", "float", "0", "share of the target spread over all labels",
         low=0, high=0.2),
)  # fmt: skip
_SIZES = ("depth", "width", "heads", "mlp_ratio", "dropout")


@cache
def edit_space(task: str, variant: Variant = "fixed", size: SizeName = "cpu") -> EditSpace:
    """All lists of edits of the encoder of a task."""
    edits: tuple[Edit, ...] = (*_MIXING, *_REST)
    if variant == "configurable":
        edits = (*edits, *_sizes(SIZES[task, size]), *_TRAINING)
    about = f"{_ABOUT[task]} {_TRAINED}"
    return EditSpace(f"{task} {variant}", edits, tuple(BASELINES.items()), about)


def _sizes(size: LraSize) -> tuple[Edit, ...]:
    widths = tuple(str(size.width * part // 4) for part in (2, 3, 4, 6, 8))
    heads = tuple(str(size.heads * part // 2) for part in (1, 2, 4))
    ratio = str(size.mlp_width // size.width)
    return (
        Edit("depth", "int", str(size.depth), "layers", low=1, high=2 * size.depth + 2),
        Edit("width", "choice", str(size.width), "of the stream", choices=widths),
        Edit("heads", "choice", str(size.heads), "of attention", choices=heads),
        Edit("mlp_ratio", "choice", ratio, "width of the MLP over that of the stream",
             choices=("1", "2", "3", "4")),
        Edit("dropout", "float", "0", "of what a part adds", low=0, high=0.4),
    )  # fmt: skip


@lru_cache(maxsize=1024)
def render(candidate: str, task: str, variant: Variant = "fixed", size: SizeName = "cpu") -> str:
    """The encoder of a list of edits. Raises InvalidPattern for what is none."""
    space = edit_space(task, variant, size)
    given = space.given(candidate)
    settings = {edit.name: edit.read(given[edit.name]) for edit in _TRAINING if edit.name in given}
    settings = {name: _number(value) for name, value in settings.items()}
    absent = dict.fromkeys(_SIZES, "") | {"dropout": "0"}
    return render_edits(ENCODER, space, candidate, **absent, settings=settings)


def frame(encoder: str, task: str, variant: Variant, size: SizeName) -> str:
    """The whole script: an encoder, and the task's embedding, head and training around it."""
    return encoder + load_template(FRAME).render(
        size=SIZES[task, size], is_configurable=variant == "configurable"
    )


def _number(value: int | float | str) -> int | float | str:
    """The values of a choice are texts: those that are numbers, as numbers."""
    if not isinstance(value, str) or not value[0].isdigit():
        return value
    return float(value) if "." in value else int(value)
