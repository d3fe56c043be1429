"""The pages of the documentation: their links lead somewhere, and their lines can be read."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
MAX_COLUMNS = 110


def links(page: str) -> list[str]:
    """Targets of links and pictures, those within code aside."""
    prose = re.sub(r"^( *)```.*?^ *```$|`[^`\n]*`", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def anchors(page: str) -> set[str]:
    """Names of the headings of a page, as they are linked to: lower case, dashes for blanks."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def broken(file: Path) -> list[str]:
    """Links of a page, addresses on the web aside, that lead to no file or to no heading."""
    wrong = []
    for link in links(file.read_text()):
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if "://" not in link and (
            not target.exists() or (anchor and anchor not in anchors(target.read_text()))
        ):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_line_of_a_page_is_too_long(page: Path) -> None:
    lines = enumerate(page.read_text().splitlines(), 1)
    assert [(number, len(line)) for number, line in lines if len(line) > MAX_COLUMNS] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = {
            (page.parent / link.partition("#")[0]).resolve() for link in links(page.read_text())
        }
        waiting += [file for file in targets - reached if file.suffix == ".md" and file.exists()]
    assert {page for page in PAGES if page not in reached} <= {ROOT / "CONTRIBUTING.md"}


def test_classes_that_extending_names_are_where_it_says() -> None:
    page = (ROOT / "docs" / "extending.md").read_text()
    named = re.findall(r"^\| `(\w+)` \| `(\S+\.py)` \|", page, re.MULTILINE)
    named += re.findall(r"`(\w+Settings)`(?: and `\w+`)?\s\(`(\S+\.py)`\)", page)
    assert len(named) >= 9
    for name, file in named:
        assert f"\nclass {name}" in (ROOT / file).read_text(), f"{name} is not in {file}"


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b`, c\n[x](#a-b-c) [y](#d) [z](gone.md) `[w](code.md)`\n")
    assert broken(page) == ["#d", "gone.md"]
