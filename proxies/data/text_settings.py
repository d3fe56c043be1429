"""The settings of text: where it comes from, and what a sequence of it is."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from nasarena.proxies.data.shipped_text import ShippedText
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings


@settings
class TextSettings:
    """`proxy.data` of a text."""

    task: Literal["text"] = Field("text", description="what is trained on; mad is proxy=mad")
    path: str | tuple[str, ...] | None = Field(
        None,
        description="any files or folder; null: a text that ships",
    )
    shipped: ShippedText = Field(
        "code",
        description="which text that ships: code, sources of the library of Python 3.11.7; prose, "
        "addresses of presidents to Congress",
    )
    length: int = Field(32, ge=1, description="bytes of a sequence, or tokens of one")
    tokenizer: str | None = Field(
        None,
        description="a tokenizer.json, or train:512 for a byte-level BPE of 512 tokens; null: "
        "bytes",
    )
    dataset: str | None = Field(
        None,
        description="of Hugging Face: a name there, dclm, fineweb-edu, tinystories, or json with "
        "data.path",
    )
    subset: str | None = Field(None, description="of the data set, as sample-10BT")
    column: str = Field("text", description="of the data set that holds the text")
    documents: Annotated[int, Field(ge=1)] | None = Field(
        None, description="at most so many files or rows; null: all files, 100,000 rows"
    )
    shards: str | None = Field(
        None,
        description="folder where tokens are kept, written there if there are none; null: the "
        "cache",
    )

    def __post_init__(self) -> None:
        if self.path is not None and self.shipped != "code":
            raise InvalidSetting("shipped chooses among the texts that ship; leave out data.path")
        if self.subset is not None and self.dataset is None:
            raise InvalidSetting("subset is one of data.dataset, which is not given")

    @property
    def is_in_memory(self) -> bool:
        """Whether bytes in memory will do."""
        others = (self.tokenizer, self.dataset, self.documents, self.shards)
        return all(setting is None for setting in others)

    @property
    def paths(self) -> list[str]:
        """`path` as a list."""
        if isinstance(self.path, Sequence) and not isinstance(self.path, str):
            return list(self.path)
        return [] if self.path is None else [self.path]
