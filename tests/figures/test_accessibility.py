"""Pages by keyboard, in both colour schemes and under axe-core: no serious fault, nothing cut."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_pages import Opened, find_faults

from nasarena.figures.browse.render import write_difference, write_index


def unfold(page: Any) -> None:
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_the_report_has_no_serious_fault(
    report_folder: Path, open_report: Callable[..., Opened], scheme: str, width: int
) -> None:
    opened = open_report(report_folder / "report.html", width, scheme=scheme)
    unfold(opened.page)
    opened.page.locator("#trials tr.row .toggle").first.click()
    assert find_faults(opened.page) == []
    assert opened.width() == width


def test_index_and_difference_have_no_serious_fault(
    report_folder: Path, tmp_path: Path, open_page: Callable[..., Opened]
) -> None:
    for name in ("first", "second"):
        shutil.copytree(report_folder, tmp_path / name)
    index, _ = write_index([tmp_path], tmp_path)
    difference, _ = write_difference(tmp_path / "first", tmp_path / "second")
    for file, scheme, width in ((index, "dark", 1280), (difference, "light", 360)):
        opened = open_page(file, width, scheme=scheme)
        unfold(opened.page)
        assert find_faults(opened.page) == []
        assert opened.width() == width


def test_a_fault_is_seen(tmp_path: Path, open_page: Callable[..., Opened]) -> None:
    file = tmp_path / "page.html"
    file.write_text("<html lang=en><title>x</title><main><button></button></main>")
    assert [one.partition(":")[0] for one in find_faults(open_page(file).page)] == ["button-name"]


def test_the_switch_chooses_the_scheme_against_the_browser(
    report_folder: Path, open_report: Callable[..., Opened]
) -> None:
    page = open_report(report_folder / "report.html", scheme="light").page

    def look() -> list[str]:
        found: str = page.evaluate(
            "JSON.stringify([getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('.first img')).filter])"
        )
        return list(json.loads(found))

    light, (paper, filtering) = look(), ("rgb(24, 26, 27)", "invert(0.91) hue-rotate(180deg)")
    assert light == ["rgb(255, 255, 255)", "none"]
    page.select_option("#scheme", "dark")
    assert look() == [paper, filtering]
    page.emulate_media(color_scheme="dark")
    page.select_option("#scheme", "light")
    assert look() == light
    page.select_option("#scheme", "")
    assert look() == [paper, filtering]


def test_every_control_is_reached_by_the_keyboard_in_order(
    report_folder: Path, open_report: Callable[..., Opened]
) -> None:
    """Tab from the top comes by everything that can be pressed, and shows where it is."""
    page = open_report(report_folder / "report.html").page
    wanted = page.evaluate(
        "[...document.querySelectorAll('a, button, input, select, summary')].filter("
        "one => one.checkVisibility() && !one.disabled).length"
    )
    page.evaluate("window.seen = new Set()")
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        page.evaluate("seen.add(document.activeElement)")
    missed = page.evaluate(
        "[...document.querySelectorAll('a, button, input, select, summary')].filter("
        "one => one.checkVisibility() && !one.disabled && !seen.has(one)).map(one => one.outerHTML)"
    )
    assert missed == []
    page.locator("nav a").first.focus()
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
