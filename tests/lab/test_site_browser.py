"""The site in a real headless Chromium: it loads, complains of nothing, fits, and can be read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from . import browser
from .browser import Browser

PHONE, DESK = 390, 1200
CHROMIUM = browser.find()
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None,
    reason="no Chromium is installed: the site was not looked at (apt-get install chromium)",
)
pytestmark = needs_chromium

#: What is wider than the window, other than inside a box that scrolls by itself.
TOO_WIDE = """
(() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (one) => {
    for (let box = one.parentElement; box && box !== document.body; box = box.parentElement)
      if (getComputedStyle(box).overflowX === 'auto') return true;
    return false;
  };
  const found = [...document.querySelectorAll('body *')]
    .filter((one) => !one.closest('svg') || one.tagName === 'svg')
    .filter((one) => one.getBoundingClientRect().right > width + 1 && !scrolls(one))
    .map((one) => one.tagName + '.' + one.getAttribute('class'));
  if (document.documentElement.scrollWidth > width) found.push('the page');
  return [...new Set(found)];
})()
"""
#: Characters that a font of the page draws as it draws one that no font has.
NO_GLYPH = """
(() => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 40;
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  const drawn = (character, font) => {
    pen.clearRect(0, 0, 40, 40);
    pen.font = font;
    pen.fillText(character, 8, 28);
    return pen.getImageData(0, 0, 40, 40).data.join();
  };
  const fonts = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest('style')) continue;
    const style = getComputedStyle(node.parentElement);
    const font = `${style.fontStyle} ${style.fontWeight} 24px ${style.fontFamily}`;
    const known = fonts.get(font) ?? new Set();
    for (const character of node.data) if (/[^\\s\\p{Cf}]/u.test(character)) known.add(character);
    fonts.set(font, known);
  }
  const missing = new Set();
  for (const [font, characters] of fonts) {
    const none = drawn('\\u{10fffd}', font);
    for (const character of characters) if (drawn(character, font) === none) missing.add(character);
  }
  return [...missing];
})()
"""
#: Whatever the page has fetched or would fetch.
FETCHED = """
[...performance.getEntriesByType('resource').map((one) => one.name),
 ...[...document.querySelectorAll('[src],link[href],image,use')].map(
   (one) => one.src ?? one.getAttribute('href') ?? one.getAttribute('xlink:href') ?? '')]
  .filter((name) => name && !/^(data:|#|file:)/.test(name))
"""


@dataclass(frozen=True)
class Look:
    """What was seen of one page."""

    complaints: tuple[str, ...]
    fetched: tuple[str, ...]
    too_wide: tuple[str, ...]
    no_glyph: tuple[str, ...]


def look(page: Browser, path: Path) -> Look:
    page.open(path.as_uri(), PHONE)
    fetched, wide, glyphs = map(page.evaluate, (FETCHED, TOO_WIDE, NO_GLYPH))
    said, asked = [], []
    for event in page.events:
        found = event.get("params", {})
        if event["method"] == "Network.requestWillBeSent":
            asked.append(str(found["request"]["url"]))
        elif event["method"] == "Runtime.exceptionThrown":
            said.append(str(found["exceptionDetails"]["text"]))
        elif event["method"] == "Runtime.consoleAPICalled":
            said.append(str(found["args"]))
        elif event["method"] == "Log.entryAdded":
            said.append(str(found["entry"]["text"]))
    asked = [url for url in asked if url != path.as_uri() and not url.startswith("data:")]
    return Look(tuple(said), (*asked, *fetched), tuple(wide), tuple(glyphs))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert CHROMIUM is not None
    with Browser(CHROMIUM, tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def looks(chromium: Browser, site: Path) -> dict[str, Look]:
    """What was seen of every page of the site, on a phone."""
    return {
        path.relative_to(site).as_posix(): look(chromium, path)
        for path in sorted(site.rglob("*.html"))
    }


def test_every_page_loads_and_the_console_stays_empty(looks: dict[str, Look]) -> None:
    assert len(looks) > 10
    assert {name: seen.complaints for name, seen in looks.items() if seen.complaints} == {}


def test_no_page_asks_for_anything_but_itself(looks: dict[str, Look]) -> None:
    assert {name: seen.fetched for name, seen in looks.items() if seen.fetched} == {}


def test_nothing_is_wider_than_a_phone_but_what_scrolls_in_its_own_box(
    looks: dict[str, Look],
) -> None:
    assert {name: seen.too_wide for name, seen in looks.items() if seen.too_wide} == {}


def test_every_character_has_a_glyph(looks: dict[str, Look]) -> None:
    assert {name: seen.no_glyph for name, seen in looks.items() if seen.no_glyph} == {}


def test_a_page_with_all_these_faults_is_found_out(chromium: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><meta charset=utf-8><style>body{font-family:'DejaVu Sans'}</style>"
        "<p style='width:600px'>wide, and no font has \u0378</p>"
        "<img src='http://example.invalid/x.png'><script>console.error('planted')</script>",
        encoding="utf-8",
    )
    seen = look(chromium, page)
    assert any("planted" in one for one in seen.complaints)
    assert any("example.invalid" in one for one in seen.fetched)
    assert "P.null" in seen.too_wide
    assert seen.no_glyph == ("\u0378",)


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_can_be_seen_in_the_light_and_in_the_dark(
    chromium: Browser, site: Path, width: int, dark: bool
) -> None:
    for name in ("index.html", "engine_overhead/index.html"):
        chromium.open((site / name).as_uri(), width, dark)
        seen = Image.open(io.BytesIO(chromium.screenshot())).convert("L")
        grey = np.asarray(seen)
        assert seen.width == width
        paper = float(np.median(grey))
        assert (paper < 60) if dark else (paper > 200)
        # Text and plots stand out from the paper, and there is a fair amount of both.
        ink = np.abs(grey.astype(np.int16) - paper) > 80
        assert 0.01 < ink.mean() < 0.5


def test_headings_lead_and_pictures_are_readable_on_a_phone(chromium: Browser, site: Path) -> None:
    chromium.open((site / "index.html").as_uri(), PHONE)
    sizes = chromium.evaluate(
        "['h1', 'h2', '.said p', '.said p + p', '.kicker'].map((one) => parseFloat("
        "getComputedStyle(document.querySelector('section ' + one) "
        "?? document.querySelector(one)).fontSize))"
    )
    assert sizes == sorted(sizes, reverse=True)
    smallest = chromium.evaluate(
        "Math.min(...[...document.querySelectorAll('figure svg text')].map("
        "(one) => one.getBoundingClientRect().height))"
    )
    assert smallest >= 10
