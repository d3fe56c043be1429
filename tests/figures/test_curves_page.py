"""Curves of report.html in a real browser: values at the pointer, switches, dark screens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_pages import Opened

from nasarena.figures.plots import anytime
from nasarena.figures.results.tables import read_tables
from nasarena.figures.stats.curves import Curve

Open = Callable[..., Opened]


def values(opened: Opened) -> dict[str, str]:
    """What each row says, by searcher, without its limits."""
    rows = opened.page.locator("#curve-rows tr").all()
    return {
        row.locator("button").inner_text(): row.locator("td").evaluate(
            "cell => cell.firstChild ? cell.firstChild.textContent : ''"
        )
        for row in rows
    }


def shown_at(found: dict[str, Curve], place: int) -> dict[str, str]:
    return {name: f"{curve.middle[place]:.4f}" for name, curve in found.items()}


def test_values_are_those_of_the_figure(report_folder: Path, open_report: Open) -> None:
    opened = open_report(report_folder / "report.html")
    found = anytime.curves(read_tables(report_folder), "trials")
    assert opened.page.locator("#curve-figure option").count() == 1
    assert values(opened) == shown_at(found, -1)
    assert list(values(opened)) == sorted(found, key=lambda name: -found[name].middle[-1])
    opened.page.focus("#curve-plot")
    for place in (10, 9):
        opened.page.keyboard.press("ArrowLeft")
        assert values(opened) == shown_at(found, place)
        assert opened.texts("#curve-at") == [f"at {place + 1}"]
    box = opened.page.locator("#curve-plot").bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] - 8, box["y"] + 100)
    assert opened.texts("#curve-at") == ["at 12"]
    assert opened.page.locator("#curve-plot .cursor").get_attribute("visibility") == "visible"
    opened.page.mouse.move(0, 0)
    assert opened.texts("#curve-at") == ["at the end"]


def test_a_name_switches_its_line(report_folder: Path, open_report: Open) -> None:
    page = open_report(report_folder / "report.html").page
    lines, names = page.locator("#curve-plot path.curve"), page.locator("#curve-rows button")
    assert lines.count() == names.count() == 3
    color = names.first.locator("line").get_attribute("stroke")
    names.first.click()
    assert names.first.get_attribute("aria-pressed") == "false"
    left = [line.get_attribute("stroke") for line in lines.all()]
    assert len(left) == 2 and color not in left
    page.click("#curve-all")
    assert lines.count() == 3
    page.click("#curve-all")
    assert lines.count() == 0
    assert page.locator("#curve-plot path:not(.curve)").count() == 0  # nor any band


def test_bands_can_be_switched(report_folder: Path, open_report: Open) -> None:
    page = open_report(report_folder / "report.html").page
    assert page.locator("#curve-plot path").count() == 6  # three searchers: shown at first
    page.uncheck("#curve-bands")
    assert page.locator("#curve-plot path").count() == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_scheme(report_folder: Path, open_report: Open, scheme: Any) -> None:
    page = open_report(report_folder / "report.html").page
    page.emulate_media(color_scheme=scheme)
    for place in ("body", "nav", "select", "#verdict"):
        paper, ink = page.locator(place).first.evaluate(
            """place => [getComputedStyle(place).backgroundColor, getComputedStyle(place).color]
                 .map(color => color.match(/\\d+/g).slice(0, 3).reduce((sum, n) => sum + +n, 0))"""
        )
        assert (paper < 200 and ink > 500) if scheme == "dark" else (paper > 700 and ink < 150)
    inverted = page.locator(".first img").evaluate("image => getComputedStyle(image).filter")
    assert (inverted == "none") == (scheme == "light")
