"""Renews docs/pictures: drives the demonstration in a real browser through four months, and takes its pictures."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

from stories.demonstration import Demonstration

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
TURN_MILLISECONDS_MAX = 90_000
WINDOW = (1100, 760)
PHONE = (390, 760)


class Studio:
    """One demonstration, and a browser whose windows are people."""

    def __init__(self, demo: Demonstration, browser: Browser, folder: Path) -> None:
        self.demo = demo
        self._browser = browser
        self._folder = folder

    def window(self, size: tuple[int, int] = WINDOW, scheme: Literal["light", "dark"] = "light") -> Page:
        """A fresh window; `size` is its inside."""
        context = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce"
        )
        context.set_default_timeout(20_000)
        return context.new_page()

    def sign_in(self, page: Page, who: str, back: str) -> None:
        page.goto(f"{self.demo.shop}/signin/?back={back}")
        page.get_by_role("button", name=who).click()
        page.wait_for_url(f"{self.demo.shop}{back}")

    def take(self, page: Page, name: str) -> None:
        """Save what the window shows."""
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement?.blur()")
        page.screenshot(path=self._folder / f"{name}.png", animations="disabled")

    def turn(self, page: Page, by: str, times: int = 1) -> None:
        """Turn the clock in the page."""
        for _ in range(times):
            button = page.get_by_role("button", name=by, exact=True)
            button.click()
            expect(button).to_be_enabled(timeout=TURN_MILLISECONDS_MAX)
            expect(page.locator("#turn-said")).to_have_text("")


def buy(studio: Studio, page: Page, who: str, product: str) -> None:
    """Sign in, choose, pay, and come back to the page that says so."""
    studio.sign_in(page, who, f"/shop/products/{product}")
    page.get_by_role("button", name="Pay with Vipps").click()
    page.get_by_role("button", name=re.compile("^Pay .*")).click()
    expect(page.get_by_role("link", name="No. ")).to_be_visible()


def tell(studio: Studio) -> None:
    """What the pictures show, in the order in which it happens."""
    anna = studio.window()
    studio.sign_in(anna, "Anna Berg", "/shop/")
    studio.take(anna, "shop")
    anna.get_by_role("link", name="Choose All films").click()
    anna.get_by_role("button", name="Pay with Vipps").click()
    approve = anna.get_by_role("button", name=re.compile("^Pay .*"))
    expect(approve).to_be_visible()
    studio.take(anna, "phone")
    approve.click()
    expect(anna.get_by_role("link", name="No. ")).to_be_visible()
    kari, ola = studio.window(), studio.window()
    buy(studio, kari, "Kari Solberg", "short-films")
    buy(studio, ola, "Ola Nordmann", "all-films")
    anna.goto(f"{studio.demo.shop}/shop/account")
    studio.turn(anna, "a month", 3)

    operator = studio.window((WINDOW[0], 960))
    studio.sign_in(operator, "Demo operator", "/operator/")
    moved = operator.get_by_role("region", name="Money that moved")
    moved.get_by_role("link", name=re.compile("All films.*912")).first.click()
    operator.get_by_label("Amount").fill("30")
    operator.get_by_label("Why").fill("Three evenings without films")
    operator.get_by_role("button", name="Give back").click()
    expect(operator.get_by_text("Credit note 1")).to_be_visible()

    telephone = studio.window()
    telephone.goto(f"{studio.demo.sandbox}/phone/4798765432")
    telephone.get_by_role("button", name="Take the money out").click()
    studio.turn(anna, "a month")
    studio.turn(anna, "a day")
    studio.take(anna, "my-page")
    narrow = studio.window(PHONE, "dark")
    studio.sign_in(narrow, "Anna Berg", "/shop/account")
    studio.take(narrow, "my-page-on-a-phone")
    buy(studio, studio.window(), "Anna Berg", "one-film")
    operator.goto(f"{studio.demo.shop}/operator/")
    expect(operator.get_by_role("heading", name="Today")).to_be_visible()
    studio.take(operator, "operator")


def main() -> int:
    """Make all pictures, and put them in their places once every one was taken."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        print("no Chromium here: apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        with Demonstration(Path(folder) / "data") as demo, sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-background-networking"]
            browser = playwright.chromium.launch(executable_path=executable, args=arguments)
            tell(Studio(demo, browser, Path(folder)))
            browser.close()
        for picture in sorted(Path(folder).glob("*.png")):
            shutil.copy(picture, PICTURES / picture.name)
            print(f"{PICTURES.name}/{picture.name}: {picture.stat().st_size // 1024} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
