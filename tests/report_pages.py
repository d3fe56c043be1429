"""What tests of report.html share: a tab that is watched, and runs that an agent wrote."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest


class Opened:
    """A page in a tab without a network, and everything that it complained about or asked for."""

    def __init__(
        self, browser: Any, file: Path, width: int = 1280, scheme: str = "light",
        ready: str = "html[data-ready]",
    ) -> None:  # fmt: skip
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, offline=True, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector(ready)

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.page.locator(selector).all_inner_texts()
        return found

    def patterns(self) -> list[str]:
        """Patterns of the explorer's rows, as they are shown."""
        return [
            row.locator("[role=img], code").first.get_attribute("aria-label")
            or row.locator("code").first.inner_text()
            for row in self.page.locator("#trials tr.row").all()
        ]

    def width(self) -> int:
        """Of the whole document, pixels."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))


def find_faults(page: Any) -> list[str]:
    """Serious and critical faults that axe-core sees; skips where it is not installed."""
    spec = find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("no axe-core: pip install axe-playwright-python")
    page.evaluate((Path(spec.origin).parent / "axe.min.js").read_text())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def edit(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite the settled trials of a run, to hold what an agent would have written.

    What was asked follows, for a record that contradicts itself is refused.
    """
    file = run / "events.jsonl"
    events = [json.loads(line) for line in file.read_text().splitlines()]
    settled = [event["trial"] for event in events if event["event"] == "settled"]
    for trial in settled:
        change(trial)
    patterns = {trial["index"]: trial["pattern"] for trial in settled}
    for event in events:
        if event["event"] == "asked":
            event["patterns"] = [
                patterns.get(place, asked)  # what did not fit into the budget was never settled
                for place, asked in enumerate(event["patterns"], start=event["first"])
            ]
    file.write_text("".join(json.dumps(event) + "\n" for event in events))


def as_agent(trial: dict[str, Any]) -> None:
    """Each trial comes from the one before it, and was expected to be better."""
    index = trial["index"]
    if index >= 4:
        trial["parents"] = [index - 1]
        trial["provenance"] = "llm"
        trial["details"] = {"name": f"idea {index}", "hypothesis": f"why {index}"}
