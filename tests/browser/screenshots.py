"""`make screenshots`: pictures of the main pages, taken of the demo, for the docs."""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.chromium import chromium_path
from tests.waiting import until

REPOSITORY = Path(__file__).resolve().parents[2]
MOST_BYTES = 200_000
LOGIN = re.compile(r"(http://\S+)/admin/\s+login (\S+), password (\S+)")
# Name of the picture, and the way to it: a page, then what is pressed on it, or after TO scrolled to.
TO = "scroll to "
LISTS = "/admin/ingestion"
FILE = (f"{LISTS}/sourcefile/", "#result_list tr:has-text('Ingested') a:has(.kcx-key) >> nth=1")
PICTURES: dict[str, tuple[str, ...]] = {
    "dashboard": ("/admin/",),
    "add-connection": (f"{LISTS}/clientconnection/add/",),
    "texts-for-the-client": (f"{LISTS}/clientconnection/", "text=Drizzle Media drizzle-billing"),
    "connection": (f"{LISTS}/clientconnection/", "text=Cumulus Bank cumulus-finops"),
    "ladder": (
        f"{LISTS}/clientconnection/",
        "text=Drizzle Media drizzle-billing",
        f"{TO}section:has(#ladder)",
    ),
    "charts": ("/admin/", f"{TO}section:has(canvas)"),
    "coverage": ("/admin/", "tr:has-text('Cumulus Bank') >> text=calendar"),
    "deliveries": (f"{LISTS}/delivery/",),
    "registry": (f"{LISTS}/sourcefile/",),
    "file": FILE,
    "rows": (*FILE, "a:has-text('See its')"),
    "passport": (*FILE, "a:has-text('See its')", "th a >> nth=2", "text=Re-read this row"),
    "receipt": (f"{LISTS}/receipt/", "#result_list tbody th a"),
}


@contextmanager
def demo(port: int) -> Iterator[tuple[str, str, str]]:
    """The demo, once it serves: its address, login and password. Stopped afterwards, with all it started."""
    command = [sys.executable, "-u", "manage.py", "demo", "--port", str(port), "--every", "86400"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            found = next((found for line in process.stdout if (found := LOGIN.search(line))), None)
            if found is None:
                raise RuntimeError("the demo ended before it served; it says why above")
            address, login, password = found.groups()
            until(lambda: _serves(address), "the demo serves")
            yield address, login, password
        finally:
            process.terminate()
            process.communicate()


def _serves(address: str) -> bool:
    with suppress(OSError):
        return requests.get(f"{address}/healthz", timeout=10).ok
    return False


def log_in(page: Page, login: str, password: str) -> None:
    """Enter the site, and wait for the worker's first sign of life."""
    page.goto("/admin/")
    page.fill("input[name=username]", login)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url("**/admin/")
    expect(page.get_by_text("No worker takes tasks")).to_have_count(0, timeout=60_000)


def take(page: Page, way: tuple[str, ...], to: Path) -> None:
    """Go there and take the picture of what the window shows. Raises RuntimeError where it is too large."""
    page.goto(way[0])
    for step in way[1:]:
        place = page.locator(step.removeprefix(TO)).first
        if step.startswith(TO):
            place.evaluate("one => one.scrollIntoView()")
        else:
            place.click()
        page.wait_for_load_state()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=to, animations="disabled")
    if to.stat().st_size > MOST_BYTES:
        raise RuntimeError(f"{to} has {to.stat().st_size} bytes; the docs take {MOST_BYTES} at most")


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=REPOSITORY / "docs" / "images")
    parser.add_argument("--port", type=int, default=8010)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    with demo(options.port) as (address, login, password), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path())
        page = browser.new_page(
            base_url=address,
            viewport={"width": options.width, "height": 720},
            color_scheme="dark" if options.dark else "light",
        )
        log_in(page, login, password)
        for name, way in PICTURES.items():
            take(page, way, options.to / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
