"""The documentation as a site: it builds strictly, no link is broken, axe sees no serious fault.

Needs mkdocs (`pip install 'nasarena[docs]'`), which `make test` does not install. `make docs`
builds the site with gallery and notebook executed; CI does that, and then runs this file.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("mkdocs", reason="no mkdocs: pip install 'nasarena[docs]'")
pytest.importorskip("mkdocstrings", reason="no mkdocstrings: pip install 'nasarena[docs]'")

ROOT = Path(__file__).parent.parent


class Links(HTMLParser):
    """Addresses that a page leads to, and the names within it."""

    def __init__(self) -> None:
        super().__init__()
        self.links, self.names = list[str](), set[str]()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.names |= {name for name in (found.get("id"), found.get("name")) if name}
        if link := found.get("href") or found.get("src"):
            self.links.append(link)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as it is there from `make docs`, else built here without running its commands."""
    there = ROOT / "build" / "site"
    if (there / "index.html").is_file():
        return there
    if not (ROOT / ".typecheck" / "nasarena").is_dir():
        pytest.skip("no .typecheck, which the reference is read from: make .typecheck")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    place = tmp_path_factory.mktemp("site")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(place), strict=True)
    config.extra["draw"] = False
    build(config)
    return place


def read(file: Path) -> Links:
    links = Links()
    links.feed(file.read_text(encoding="utf-8"))
    return links


def test_no_link_of_the_site_is_broken(site: Path) -> None:
    pages = {file: read(file) for file in site.rglob("*.html") if file.name != "404.html"}
    assert len(pages) > 20
    broken = []
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            is_known = target not in pages or unquote(parts.fragment) in pages[target].names
            if not target.is_file() or (parts.fragment and not is_known):
                broken.append(f"{file.relative_to(site)}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for file in site.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"?https?://", text) == [], file


def test_reference_and_commands_are_filled_from_the_code(site: Path) -> None:
    contracts = (site / "reference" / "contracts.html").read_text(encoding="utf-8")
    assert "nasarena.search.proxy.Proxy" in contracts and "nasarena.search.trial.Trial" in contracts
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "usage: nasarena compare" in commands and "live=false" in commands


@pytest.mark.parametrize(("name", "scheme"), [("index", "light"), ("tutorial", "dark")])
def test_axe_sees_no_serious_fault(site: Path, browser: Any, name: str, scheme: str) -> None:
    from report_pages import find_faults

    context = browser.new_context(viewport={"width": 360, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto((site / f"{name}.html").as_uri())
    assert find_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()
