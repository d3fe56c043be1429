"""What mkdocs needs to be told of this repository: pages outside docs/, and pages made by commands.

Links stay as they are in the repository, relative to the file they stand in. What they lead to
outside docs/ becomes part of the site: pages as pages, other files as they are.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(Path(__file__).parent))

from generated import make_pages  # noqa: E402

PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")  # of the repository's root
HOME = "index.md"
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_CODE = re.compile(r"^( *)```.*?^ *```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Headings get the names that the repository's own links use; the README is the first page."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    config.nav = _with_home(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, those that commands make, and whatever links lead to."""
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, _with_home(name), content=text))
    for name, content in make_pages(ROOT, draws=bool(config.extra.get("draw"))).items():
        files.append(File.generated(config, name, content=content))
    for target in sorted(_outside(files)):
        text = target.read_bytes()
        files.append(File.generated(config, _place(target), content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as the site has them, those in code aside."""
    source = _source(page.file.src_uri)

    def rewrite(found: re.Match[str]) -> str:
        target = (source.parent / found[2]).resolve()
        if "://" in found[2] or not target.is_relative_to(ROOT) or not target.exists():
            return found[0]
        here = os.path.dirname(page.file.src_uri) or "."
        return f"{found[1]}{os.path.relpath(_place(target), here)}{found[3]}"

    parts, last = [], 0
    for code in _CODE.finditer(markdown):
        parts += [_LINK.sub(rewrite, markdown[last : code.start()]), code[0]]
        last = code.end()
    return "".join([*parts, _LINK.sub(rewrite, markdown[last:])])


def _outside(files: Files) -> set[Path]:
    """Files of the repository outside docs/ that pages link to, other pages of the root aside."""
    found = set[Path]()
    waiting = [_source(file.src_uri) for file in files if file.src_uri.endswith(".md")]
    while waiting:
        page = waiting.pop()
        if not page.is_file():
            continue  # made by a command
        for _, link, _ in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
            target = (page.parent / link).resolve()
            is_ours = target.is_file() and target.is_relative_to(ROOT)
            if "://" in link or not is_ours or target in found:
                continue
            if not target.is_relative_to(ROOT / "docs") and target.name not in _root_pages(target):
                found.add(target)
                waiting += [target] if target.suffix == ".md" else []
    return found


def _root_pages(target: Path) -> tuple[str, ...]:
    return PAGES if target.parent == ROOT else ()


def _place(target: Path) -> str:
    """Where a file of the repository lies in the site's sources."""
    if target.is_relative_to(ROOT / "docs"):
        inside = target.relative_to(ROOT / "docs").as_posix()
        return "notebook.md" if inside == "notebook.ipynb" else inside
    if target.is_dir():
        return f"repository/{target.relative_to(ROOT).as_posix()}"
    if target.parent == ROOT and target.name in PAGES:
        return str(_with_home(target.name))
    return f"repository/{target.relative_to(ROOT).as_posix()}"


def _source(place: str) -> Path:
    """The inverse of `_place`: the file of the repository that a page was read from."""
    if place == HOME:
        return ROOT / "README.md"
    if place in PAGES:
        return ROOT / place
    if place.startswith("repository/"):
        return ROOT / place.removeprefix("repository/")
    return ROOT / "docs" / place


def _with_home(nav: Any) -> Any:
    """`README.md` of the root as the first page, wherever it is named."""
    if isinstance(nav, list):
        return [_with_home(one) for one in nav]
    if isinstance(nav, dict):
        return {name: _with_home(one) for name, one in nav.items()}
    return HOME if nav == "README.md" else nav
