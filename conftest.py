"""What all tests share: published API descriptions to compare with when they are at hand, and a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page
from hypothesis import HealthCheck, settings

# A busy machine draws slowly: that is no fault of the code under test.
settings.register_profile("avtale", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("avtale")

ORACLE = os.environ.get("AVTALE_ORACLE", "")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# Text whose colour stands out from what is behind it by less than 4.5 to 1 (WCAG 2.2, 1.4.3), controls that a
# thumb would miss (2.5.8) or that have no name (4.1.2), and pages wider than their screen (1.4.10).
FAULTS = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const faults = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".unseen, .skip, title")) continue;
    const style = getComputedStyle(element);
    const front = light(numbers(element.closest("svg") ? style.fill : style.color).slice(0, 3));
    const back = light(behind(element));
    const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (contrast < 4.5) faults.push(`${element.textContent.trim()}: contrast ${contrast.toFixed(2)}`);
  }
  for (const control of document.querySelectorAll("button, input:not([type=hidden]), select, summary")) {
    const { width, height } = control.getBoundingClientRect();
    if (!control.checkVisibility() || (width >= 24 && height >= 24)) continue;
    faults.push(`${control.outerHTML}: too small`);
  }
  for (const control of document.querySelectorAll("button, input:not([type=hidden]), select, a")) {
    const named = control.ariaLabel || control.textContent.trim() || control.labels?.length;
    if (!control.checkVisibility() || named) continue;
    faults.push(`${control.outerHTML}: nameless`);
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one heading for the page");
  if (document.documentElement.scrollWidth > innerWidth) faults.push("scrolls sideways");
  return faults;
}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not ORACLE:
        without = pytest.mark.skip(reason="AVTALE_ORACLE names no folder of published API descriptions")
        for item in items:
            if item.get_closest_marker("oracle") is not None:
                item.add_marker(without)


@pytest.fixture(scope="session")
def oracle() -> Path:
    """The folder of published API descriptions; use it in tests marked `oracle`."""
    folder = Path(ORACLE)
    assert folder.is_dir(), f"AVTALE_ORACLE={ORACLE} is no folder"
    return folder


@pytest.fixture(scope="session")
def page_faults() -> Callable[[Page], list[str]]:
    """What is hard to read or to use on a page, as a list of sentences, once its style sheet is there."""

    def look(page: Page) -> list[str]:
        page.wait_for_load_state()
        return list(page.evaluate(FAULTS))

    return look


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser without a window; skips where there is none.

    It holds the thread's event loop while it lives: a module that uses it has no asynchronous tests.
    """
    if CHROMIUM is None:
        reason = "no Chromium here: apt-get install chromium"
        if os.environ.get("CI_REQUIRE_CHROMIUM"):
            pytest.fail(f"CI_REQUIRE_CHROMIUM is set, but there is {reason}")
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def window(chromium: Browser) -> Iterator[BrowserContext]:
    """A fresh browser window; a refused script, a failed request or a request to elsewhere fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(10_000)
    wrong: list[str] = []
    context.on("console", lambda message: wrong.append(message.text))
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("request", lambda request: wrong.append(request.url) if not _is_here(request.url) else None)
    yield context
    context.close()
    assert not wrong


@pytest.fixture
def page(window: BrowserContext) -> Page:
    """A page in it."""
    return window.new_page()


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost")
