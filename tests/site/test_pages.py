"""The built site as a reader meets it, from the disk and without a network; `make test-site` builds it first."""

import re
import shutil
from pathlib import Path
from urllib.request import url2pathname

import pytest

pytestmark = pytest.mark.site
SITE = Path(__file__).resolve().parents[2] / "build/site"
SHOTS = SITE.with_name("site-shots")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--no-first-run"]
PAGES = ["index", "findings", "limits", "cards", "glossary", "part1", "notebooks/00_start_here"]
PAGES += ["notebooks/11_logistic_regression", "notebooks/20_stock_price_prediction", "notebooks/30_credit_risk"]


@pytest.fixture(scope="module")
def page():
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e .[browser]")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    assert (SITE / "index.html").exists(), "make site comes first"
    SHOTS.mkdir(parents=True, exist_ok=True)
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        yield page
        browser.close()


def show(page, name):
    page.goto((SITE / f"{name}.html").as_uri())
    page.wait_for_load_state("load")
    return page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_without_a_network(page, name):
    page.asked.clear()
    show(page, name)
    assert not [url for url in page.asked if not url.startswith(("file:", "data:"))], "nothing comes from elsewhere"
    assert page.eval_on_selector_all(".bd-article img", "all => all.every(i => i.naturalWidth > 0 && i.alt.length > 0)")


def test_search_finds_a_word(page):
    page.goto(f"{(SITE / 'search.html').as_uri()}?q=Nelson")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    assert any("22" in title for title in page.eval_on_selector_all("#search-results li a", "a => a.map(x => x.text)"))


def test_formulas_are_drawn(page):
    show(page, "notebooks/20_stock_price_prediction")
    page.wait_for_function("() => window.MathJax && MathJax.Hub && MathJax.Hub.queue.pending === 0", timeout=60_000)
    page.wait_for_selector(".bd-article .MathJax", timeout=60_000)
    assert r"\(" not in page.inner_text(".bd-article")
    asked = page.evaluate(
        "performance.getEntriesByType('resource').map(r => r.name).filter(n => n.includes('mathjax'))"
    )
    assert all(Path(url2pathname(name.split("?")[0].removeprefix("file://"))).exists() for name in asked)
    page.locator(".bd-article .MathJax_Display, .bd-article .MathJax").nth(3).screenshot(path=SHOTS / "formula.png")
    page.screenshot(
        path=SHOTS / "formulas.png", full_page=True, clip={"x": 250, "y": 800, "width": 800, "height": 1400}
    )


def test_figures_stay_readable_in_the_dark(page):
    show(page, "notebooks/20_stock_price_prediction")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    first = page.locator(".cell_output img").first
    colour, shade = first.evaluate("i => [getComputedStyle(i).backgroundColor, getComputedStyle(i).filter]")
    assert (colour, shade) == ("rgb(255, 255, 255)", "none")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", dark)[:3])) < 80
    page.screenshot(path=SHOTS / "dark.png")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(page, name):
    page.set_viewport_size({"width": 390, "height": 800})
    show(page, name)
    page.screenshot(path=SHOTS / f"phone-{Path(name).name}.png")
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert width <= 392


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_contrast_and_names_by_axe(page, name, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install -e .[browser]")
    show(page, name)
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    rules = {"runOnly": ["color-contrast", "image-alt", "link-name", "button-name", "document-title", "html-has-lang"]}
    found = axe.Axe().run(page, options=rules).response["violations"]
    assert not found, [(v["id"], [node["html"][:90] for node in v["nodes"][:3]], len(v["nodes"])) for v in found]
