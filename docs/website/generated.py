"""Pages that commands and code make: help texts, reference, gallery, the executed notebook."""

import ast
import html
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

Content = str | bytes

# What the reference shows, by page: its title, and the modules with their docstrings.
REFERENCE = {
    "python": ("import nasarena", ["calls", "outcome", "suite_outcome"]),
    "contracts": (
        "Contracts of the core",
        ["search.searcher", "search.proxy", "search.trial", "search.space", "search.budget",
         "search.fidelity", "search.loop", "search.run_folder", "search.seeding", "search.settings",
         "search.errors", "search.candidates.protocol"],
    ),
    "proxies": (
        "Proxies and landscapes",
        ["proxies.contract", "proxies.landscape", "proxies.landscapes", "proxies.presets",
         "proxies.data.task", "proxies.models.kinds", "proxies.patternbench.benchmark"],
    ),
    "statistics": (
        "Statistics",
        ["figures.stats.paired", "figures.stats.multiple", "figures.stats.intervals",
         "figures.stats.power", "figures.stats.reliability", "figures.stats.agreement",
         "figures.stats.curves", "figures.stats.scaling_law"],
    ),
}  # fmt: skip
GALLERY = (
    "nasarena compare name=gallery proxy=additive "
    "searchers=[random,evolution,genetic,local-search] seeds=8 budget.patterns=60"
)


def make_pages(root: Path, draws: bool) -> dict[str, Content]:
    """Sources by their place; without `draws` gallery and notebook run nothing."""
    pages: dict[str, Content] = {"reference/commands.md": commands_page()}
    for name, (title, modules) in REFERENCE.items():
        blocks = [f"::: nasarena.{module}\n" for module in modules]
        pages[f"reference/{name}.md"] = "\n".join([f"# {title}\n", *blocks])
    cells = json.loads((root / "docs" / "notebook.ipynb").read_text())["cells"]
    with _folder_of_its_own():
        pages |= notebook_page(cells, draws)
        pages |= gallery_pages(draws)
    return pages


def commands_page() -> str:
    """The help of every command, as it is printed."""
    from nasarena.experiments.commands.cli import COMMANDS
    from nasarena.experiments.settings.manual import manual

    lines = ["# Commands", "", "What `nasarena COMMAND --help` prints.", ""]
    for name, command in COMMANDS.items():
        text = manual(name, command.usage, command.summary, [] if command.has_settings else None)
        lines += [f"## nasarena {name}", "", "```text", text, "```", ""]
    return "\n".join(lines)


def gallery_pages(draws: bool) -> dict[str, Content]:
    """The figures of one small comparison, with its report."""
    from nasarena.experiments.commands.cli import main

    lines = ["# Gallery", "", "Every figure of one small comparison on a formula:", ""]
    lines += ["```", GALLERY.replace(" seeds", " \\\n  seeds"), "```", ""]
    if not draws:
        return {"gallery.md": "\n".join(lines)}
    words = GALLERY.split()[1:]
    with redirect_stdout(io.StringIO()):
        if main(words) != 0:
            raise RuntimeError(f"{GALLERY} failed")
    folder = Path("runs/gallery")
    pages: dict[str, Content] = {"gallery/report.html": (folder / "report.html").read_bytes()}
    lines += ["[Its report](gallery/report.html) is one file, with every trial in it.", ""]
    for title, name in re.findall(r"!\[(.*)\]\(figures/(.*)\)", (folder / "report.md").read_text()):
        pages[f"gallery/{name}"] = (folder / "figures" / name).read_bytes()
        lines += [f"## {title}", "", f"![{title}](gallery/{name})", ""]
    return {"gallery.md": "\n".join(lines), **pages}


def notebook_page(cells: list[dict[str, Any]], draws: bool) -> dict[str, Content]:
    """A notebook with what its cells show when they are executed, one after the other."""
    lines, pages, names = list[str](), dict[str, Content](), dict[str, Any]()
    for number, cell in enumerate(cells):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines += [source, ""]
            continue
        lines += ["```python", source, "```", ""]
        if not draws:
            continue
        with redirect_stdout(io.StringIO()):
            value = execute(source, names)
        if hasattr(value, "savefig"):
            place, buffer = f"notebook/{number}.png", io.BytesIO()
            value.savefig(buffer, format="png", dpi=150)
            pages[place] = buffer.getvalue()
            lines += [f"![Output of the cell above]({place})", ""]
        elif hasattr(value, "_repr_html_"):
            shown = re.sub(r"\n\s*", "\n", value._repr_html_())
            lines += [f'<div class="output" tabindex="0">\n{shown}\n</div>', ""]
        elif value is not None:
            text = "\n".join(map(str, value)) if isinstance(value, list) else str(value)
            lines += [f'<div class="output"><pre tabindex="0">{html.escape(text)}</pre></div>', ""]
    return {"notebook.md": "\n".join(lines), **pages}


def execute(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line, where that is an expression."""
    names.setdefault("__name__", "__main__")
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    return None


@contextmanager
def _folder_of_its_own() -> Iterator[None]:
    """What runs leave behind lies in a folder that is removed."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
