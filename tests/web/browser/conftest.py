"""Pages of the map in a real browser, which remember what went wrong on them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

AXE = Path(__file__).parent / "axe.min.js"
PATIENCE = 8_000  # milliseconds


class Visit:
    """A page of the map, with its faults and the addresses outside of the map that it has asked for."""

    def __init__(self, tab: Any, url: str) -> None:
        self.tab, self.url = tab, url
        self.faults: list[str] = []
        self.outside: list[str] = []
        tab.set_default_timeout(PATIENCE)
        tab.on("console", lambda line: self.faults.append(line.text) if line.type in {"error", "warning"} else None)
        tab.on("pageerror", lambda fault: self.faults.append(str(fault)))
        tab.on("request", self._note)

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.outside.append(request.url)

    def open(self, path: str = "/") -> "Visit":
        """Goes there and waits until the page is ready."""
        self.tab.goto(self.url + path)
        self.tab.wait_for_selector("body.ready")
        return self

    def box(self, kind: str, task: str = "") -> Any:
        """The box of the first layer of that kind in the list of runs."""
        runs = self.tab.evaluate("fetch('/api/layers').then((answer) => answer.json())")["runs"]
        layers = [layer for run in runs if run["task"].startswith(task) for layer in run["layers"]]
        number = next(layer["id"] for layer in layers if layer["kind"] == kind)
        return self.tab.locator(f"#runs input[data-layer='{number}']")

    def only(self, kind: str, task: str = "") -> None:
        """Shows that layer and no other."""
        self.tab.evaluate("document.querySelectorAll('#runs input:checked').forEach((box) => box.click())")
        self.box(kind, task).check()
        self.tab.locator("#shown .tool").nth(2).click()  # go there
        self.settle()

    def settle(self) -> None:
        """Waits until the map stands still and all of its pictures are there."""
        before = ""
        while before != self.tab.url:
            before = self.tab.url
            self.tab.wait_for_timeout(300)
        waiting = "document.querySelectorAll('.leaflet-tile:not(.leaflet-tile-loaded)')"
        self.until(f"[...{waiting}].every((tile) => tile.complete)")  # one that came to nothing is complete too

    def until(self, holds: str) -> None:
        """Waits until that holds; Playwright's own way evaluates text in the page, which the page's policy forbids."""
        end = time.monotonic() + PATIENCE / 1000
        while not self.tab.evaluate(holds):
            assert time.monotonic() < end, f"waited in vain for {holds}"
            self.tab.wait_for_timeout(50)

    def middle(self) -> tuple[float, float]:
        """The middle of what is shown, in pixels of the window."""
        boxes = self.tab.evaluate(
            "[...document.querySelectorAll('.raster img')].map((one) => one.getBoundingClientRect())"
            ".map((box) => [box.left, box.right, box.top, box.bottom])"
        )
        left, right, top, bottom = zip(*boxes, strict=True)
        return (min(left) + max(right)) / 2, (min(top) + max(bottom)) / 2

    def scan(self) -> list[str]:
        """What the accessibility scan holds against the page as it is now: serious and worse."""
        self.tab.evaluate(AXE.read_text("utf-8"))
        found = self.tab.evaluate(
            "axe.run(document, { resultTypes: ['violations'] }).then((all) => all.violations.map((one) => "
            "[one.impact, one.id, one.nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(' | ')]))"
        )
        return [" ".join(map(str, one)) for one in found if one[0] in {"serious", "critical"}]


@pytest.fixture
def visit(browser: Any, served: str) -> Iterator[Callable[..., Visit]]:
    """Opens the map: ``visit("/", locale="fr-FR", color_scheme="dark")``."""
    contexts = []

    def start(path: str = "/", *, width: int = 1280, height: int = 800, **settings: Any) -> Visit:
        settings = {"locale": "en-GB", "viewport": {"width": width, "height": height}, **settings}
        contexts.append(browser.new_context(**settings))
        return Visit(contexts[-1].new_page(), served).open(path)

    yield start
    for context in contexts:
        context.close()
