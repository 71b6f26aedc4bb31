"""Debian's Chromium without a network, driven by Selenium, for tests of pages. The packages are those of ${NEARFAR_DEPS:-.deps}/browser, which
`./run test -L browser` makes; a test calls with_packages() first, which starts it again with them or says that it is skipped."""
import os
import shutil
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("NEARFAR_DEPS") or SOURCE / ".deps") / "browser/bin/python"

# Contrast of every visible text with what is behind it (WCAG 2.2, 1.4.3): those below the limit.
CONTRAST = r"""
const parse = (text) => { const n = text.match(/[\d.]+/g).map(Number); return text.startsWith("color(srgb") ? [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1]; };
const luminance = (c) => { const l = c.slice(0, 3).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
const ground = (element) => { const layers = []; for (let e = element; e; e = e.parentElement) { layers.push(parse(getComputedStyle(e).backgroundColor)); if (layers.at(-1)[3] === 1) break; }
  return layers.reverse().reduce((under, top) => over(top, under), parse(getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "rgb(18,18,18)" : "rgb(255,255,255)")); };
const low = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let count = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
  ++count;
  const back = ground(element), front = over(parse(getComputedStyle(element).color), back);
  const [a, b] = [luminance(front), luminance(back)].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) low.push([walker.currentNode.textContent.trim().slice(0, 40), element.className, ((a + 0.05) / (b + 0.05)).toFixed(2)]);
}
return [count, low];
"""


def with_packages():
    """The Python that has the packages runs on; another one becomes it, or ends with a line that says what is missing."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        if not PYTHON.exists() or not shutil.which("chromedriver") or Path(sys.executable) == PYTHON:
            print("SKIPPED: whole program: no browser here; ./run test -L browser installs one (Debian packages chromium, chromium-driver; Selenium from PyPI)")
            sys.exit(0)
        os.execv(PYTHON, [str(PYTHON), *sys.argv])


def start(width=1440, height=900):
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", f"--window-size={width},{height}", "--host-resolver-rules=MAP * ~NOTFOUND",
                     "--force-color-profile=srgb"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def axe():
    import axe_playwright_python
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
