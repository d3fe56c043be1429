"""Every command and every example of README runs as printed, only smaller where it would take long.

`nasarena serve --install` alone is left out: it builds 3.5 GB (test_missing_packages.py has it).

Fenced blocks and inline code are read: lines that begin with `nasarena ` or `python -m nasarena`
are run in the order of the page, Python is executed, and a target of make must be in the Makefile.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasarena.experiments.commands.cli import COMMANDS, main
from nasarena.figures.plots import gallery

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

# What is put in place of a setting of the same name, by command.
SMALLER = {
    "compare": [
        "seeds=1",
        "budget.unit=trials",
        "budget.amount=6",
        "references=false",
        "report=false",
    ],
    "evaluate": ["seeds=1"],
    "audit": ["patterns=5", "seeds=2"],
    "scale": ["plan=true"],
    "design": ["scale=smoke", "searchers=[random]", "seeds=1", "trials=2", "attribute=false"],
    "check": [],
}
# A comparison that does not say otherwise would import every optimizer there is, and score all 43
# million patterns of PatternBench for their ranks.
FEW = ["searchers=[random,evolution]", "proxy=additive"]
# 1 is an audit that finds little trust in so few patterns: the command ran.
MAY_FAIL = {"audit"}


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def commands(page: str) -> Iterator[str]:
    """Commands of ours in fenced blocks and inline, in the order of the page; no placeholders."""
    for block, inline in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", page, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines() or [inline]:
            command = " ".join(line.partition("#")[0].split())
            if re.match(r"nasarena |python -m nasarena\.", command) and "COMMAND" not in command:
                if "--install" not in command:
                    yield command


def make_smaller(arguments: list[str]) -> list[str]:
    """The arguments of a command, with the settings of `SMALLER` in place of its own."""
    changes = list(SMALLER.get(arguments[0], []))
    if arguments[0] == "compare":
        given = {word.partition("=")[0] for word in arguments}
        changes += [change for change in FEW if change.partition("=")[0] not in given]
    names = {change.partition("=")[0] for change in changes}
    return [word for word in arguments if word.partition("=")[0] not in names] + changes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with README's own searcher in it, for all commands of the page."""
    place = tmp_path_factory.mktemp("readme")
    (own,) = (text for text in blocks("python") if "@searcher" in text)
    # The page leaves a proxy to its reader: here it is a landscape of ours.
    proxy = "from nasarena.proxies.landscapes import additive as my_proxy\n"
    (place / "my_file.py").write_text(own + "\n\n" + proxy)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("NASARENA_CACHE", str(place / "cache"))
        patch.setattr(gallery, "FIGURES", gallery.FIGURES[:2])  # tests/figures draws them all
        yield place


def test_the_page_has_commands_of_most_kinds() -> None:
    used = {words.split()[1] for words in commands(README) if words.startswith("nasarena")}
    assert {"compare", "evaluate", "check", "audit", "status", "figures"} <= used
    assert used <= set(COMMANDS)


@pytest.mark.parametrize("command", list(dict.fromkeys(commands(README))))
def test_a_command_runs_as_printed(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, *arguments = shlex.split(command)
    if program == "python":
        result = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return
    code = main(make_smaller(arguments))
    assert code == 0 or (code == 1 and arguments[0] in MAY_FAIL), capsys.readouterr().err


def test_the_python_examples_run(folder: Path) -> None:
    (example,) = (text for text in blocks("python") if "import nasarena\n" in text)
    small = re.sub(r"seeds=\d+\)\n", 'seeds=2, budget={"patterns": 20})\n', example, count=1)
    assert small != example
    (folder / "example.py").write_text(small)
    result = subprocess.run(
        [sys.executable, "example.py"], capture_output=True, text=True, env={**os.environ}
    )
    assert result.returncode == 0, result.stderr


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", README, re.MULTILINE))
    names = {one or other for one, other in named}
    assert {"compare", "test"} <= names <= targets


def test_commands_are_read_from_blocks_and_text() -> None:
    block = "```\nnasarena run \\\n  a=1   # why\nmake x\n```"
    page = f"Use `nasarena doctor`.\n{block}\n`nasarena COMMAND` and `nasarena.searchers`"
    assert list(commands(page)) == ["nasarena doctor", "nasarena run a=1"]
