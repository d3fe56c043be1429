"""The commands of docs/tutorial.md run as printed, in their order, with fewer seeds and trials."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_readme import MAY_FAIL, SMALLER, commands

from nasarena.experiments.commands.cli import COMMANDS, main
from nasarena.figures.plots import gallery

SMALL = {"budget.patterns": "8", "seeds": "2", "references": "false", "report": "false"}
PAGE = (Path(__file__).parent.parent / "docs" / "tutorial.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with the page's own searcher in it."""
    place = tmp_path_factory.mktemp("tutorial")
    (own,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (place / "mine.py").write_text(own)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("NASARENA_CACHE", str(place / "cache"))
        patch.setattr(gallery, "FIGURES", gallery.FIGURES[:2])
        yield place


def make_smaller(arguments: list[str]) -> list[str]:
    """The arguments with smaller numbers in the place of the page's own."""
    if arguments[0] == "compare":
        kept = [word for word in arguments if word.partition("=")[0] not in SMALL]
        return kept + [f"{name}={value}" for name, value in SMALL.items()]
    return [*arguments, *SMALLER.get(arguments[0], [])]


def read_commands(page: str) -> list[str]:
    """The commands of its blocks alone: text may speak of others."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    shell = (f"```\n{text}```" for language, text in blocks if not language)
    return list(dict.fromkeys(commands("\n".join(shell))))


def test_the_page_has_commands_of_most_kinds() -> None:
    used = {command.split()[1] for command in read_commands(PAGE)}
    assert {"doctor", "compare", "status", "browse", "check", "evaluate", "audit"} <= used
    assert used <= set(COMMANDS)


@pytest.mark.parametrize("command", read_commands(PAGE))
def test_a_command_runs_as_printed(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, *arguments = shlex.split(command)
    code = main(make_smaller(arguments))
    assert code == 0 or (code == 1 and arguments[0] in MAY_FAIL), capsys.readouterr().err


def test_the_page_tells_the_smallest_p_of_five_seeds() -> None:
    from nasarena.figures.stats.paired import smallest_p

    assert f"is {smallest_p(5)}," in PAGE
