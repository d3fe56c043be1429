"""The edits of the training script, and the script that a list of them makes.

The code of an edit stands in `script.py.jinja`, at the place where it is used: a script holds the
code of its own edits and nothing of the others. `known` are the script as it is given and a plain
GPT as of 2019, untuned, written as edits of it.
"""

from functools import cache, lru_cache
from pathlib import Path

from nasarena.proxies.programs.template import render_edits
from nasarena.search.candidates.edit import Edit
from nasarena.search.candidates.edit_space import EditSpace
from nasarena.search.candidates.program_check import Interface
from nasarena.search.candidates.program_space import Catalogue, ProgramSpace

TASK = "autoresearch"
ABOUT = (
    "It trains a small language model on bytes of English prose from scratch, for a short and "
    "fixed time on one CPU core, where a smaller model makes more steps. The score is minus its "
    "bits per byte on text that it has not seen."
)
CLOCK = (
    "train must end by itself: clock.progress() rises from 0 to 1 over that time and "
    "clock.seconds_left() falls to 0. model(tokens) takes integers [batch, length] and gives "
    "logits [batch, length, vocab_size]; tokens in train is one long line, to draw batches from."
)
TEMPLATE = Path(__file__).parent / "script.py.jinja"
PLAIN_GPT = (
    "activation=gelu norm=layer qk_norm=off positions=learned init=normal zero_out=off "
    "head_init=normal optimizer=adamw adam_lr=0.001 schedule=constant"
)
_MUON = (("optimizer", ("muon",)),)
_SIZE = (
    Edit("depth", "int", "2", "layers, each attention and MLP", low=1, high=8),
    Edit("width", "choice", "64", "of the stream", choices=("32", "48", "64", "96", "128")),
    Edit("heads", "choice", "2", "of attention", choices=("1", "2", "4")),
    Edit("mlp_ratio", "choice", "4", "width of the MLP over that of the stream",
         choices=("1", "2", "3", "4", "6")),
)  # fmt: skip
_MODEL = (
    Edit("window", "choice", "full", "what attention sees; alternating: every other layer 16",
         choices=("full", "alternating", "8", "16", "32")),
    Edit("activation", "choice", "relu2", "of the MLP",
         choices=("relu2", "relu", "gelu", "silu", "swiglu")),
    Edit("norm", "choice", "rms", "before each part of a layer", choices=("rms", "layer")),
    Edit("qk_norm", "switch", "on", "norm of queries and keys"),
    Edit("positions", "choice", "rotary", "how a place is known",
         choices=("rotary", "learned", "none")),
    Edit("value_embeddings", "switch", "off", "a token's own vector joins the values"),
    Edit("embedding_skip", "switch", "off", "the embedding joins the stream before each layer"),
    Edit("logit_cap", "choice", "off", "soft cap of the logits", choices=("off", "5", "15", "30")),
    Edit("tie_embeddings", "switch", "off", "the head is the embedding"),
    Edit("init", "choice", "scaled", "of matrices: by their width, standard deviation 0.02, ...",
         choices=("scaled", "normal", "orthogonal")),
    Edit("zero_out", "switch", "on", "matrices that write to the stream begin at zero"),
    Edit("head_init", "choice", "zero", "the head begins at zero",
         choices=("zero", "normal"), excludes=("tie_embeddings",)),
)  # fmt: skip
_OPTIMIZER = (
    Edit("optimizer", "choice", "muon", "muon: of the matrices, AdamW of the rest",
         choices=("muon", "adamw", "sgd")),
    Edit("matrix_lr", "log", "0.02", "learning rate of Muon", low=0.002, high=0.2, requires=_MUON),
    Edit("momentum", "float", "0.95", "of Muon", low=0.8, high=0.99, requires=_MUON),
    Edit("adam_lr", "log", "0.005", "learning rate of AdamW", low=0.0003, high=0.05,
         requires=(("optimizer", ("muon", "adamw")),)),
    Edit("beta2", "choice", "0.95", "of AdamW", choices=("0.9", "0.95", "0.99", "0.999"),
         requires=(("optimizer", ("muon", "adamw")),)),
    Edit("sgd_lr", "log", "0.1", "learning rate of SGD", low=0.01, high=1,
         requires=(("optimizer", ("sgd",)),)),
    Edit("weight_decay", "float", "0", "per unit of learning rate", low=0, high=1),
    Edit("clip", "choice", "off", "bound of the gradient's norm", choices=("off", "0.3", "1", "3")),
    Edit("average", "choice", "off", "decay of an average of the weights, which is what is kept",
         choices=("off", "0.8", "0.9", "0.95", "0.98")),
)  # fmt: skip
_TRAINING = (
    Edit("schedule", "choice", "warmdown", "of the learning rate",
         choices=("warmdown", "linear", "cosine", "constant")),
    Edit("warmdown", "float", "0.5", "last share of the time, in which the rate falls to 0",
         low=0.1, high=0.9, requires=(("schedule", ("warmdown",)),)),
    Edit("warmup", "float", "0", "first share of the time, in which the rate rises",
         low=0, high=0.3),
    Edit("batch", "choice", "4", "sequences of a step", choices=("2", "4", "8", "16", "32")),
    Edit("length", "choice", "64", "bytes of a training sequence",
         choices=("16", "32", "64", "96"), requires=(("positions", ("rotary", "none")),)),
    Edit("loss", "choice", "cross_entropy", "what is made smaller",
         choices=("cross_entropy", "focal")),
    Edit("focal_gamma", "float", "1", "weight of hard bytes", low=0.1, high=4,
         requires=(("loss", ("focal",)),)),
    Edit("z_loss", "choice", "off", "penalty on the square of log Z",
         choices=("off", "0.0001", "0.001", "0.01")),
    Edit("label_smoothing", "float", "0", "share of the target spread over all bytes",
         low=0, high=0.2, requires=(("loss", ("cross_entropy",)),)),
)  # fmt: skip
EDITS = (*_SIZE, *_MODEL, *_OPTIMIZER, *_TRAINING)
INTERFACE = Interface(
    (("build_model", ("vocab_size", "length")), ("train", ("model", "tokens", "clock"))),
    ("torch", "math", "typing", "dataclasses", "collections", "functools", "itertools"),
)


@cache
def edit_space() -> EditSpace:
    """All lists of edits of the script."""
    return EditSpace(TASK, EDITS, (("given script", "default"), ("plain GPT", PLAIN_GPT)), ABOUT)


@cache
def program_space() -> ProgramSpace:
    """All programs with the script's interface; drafts are the given script and a plain GPT."""
    edits = edit_space()
    drafts = [(name, render(candidate)) for name, candidate in edits.known]
    about = f"{ABOUT} {CLOCK}"
    return ProgramSpace(TASK, INTERFACE, tuple(drafts), about, Catalogue(edits, render))


@lru_cache(maxsize=1024)
def render(candidate: str) -> str:
    """The script of a list of edits. Raises InvalidPattern for what is none."""
    return render_edits(TEMPLATE, edit_space(), candidate)
