"""The built site as a reader meets it, from the disk and without a network; `make test-site` builds it first."""

import re
import shutil
from pathlib import Path
from urllib.request import url2pathname

import pytest

from helpers.course import site
from helpers.errors import CourseError

pytestmark = pytest.mark.site
SITE = Path(__file__).resolve().parents[2] / "build/site"
SHOTS = SITE.with_name("site-shots")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--no-first-run"]
PAGES = ["index", "findings", "limits", "cards", "glossary", "part1", "notebooks/00_start_here"]
PAGES += ["notebooks/11_logistic_regression", "notebooks/20_stock_price_prediction", "notebooks/30_credit_risk"]
PAGES += ["zh/index", "zh/notebooks/20_stock_price_prediction"]
RULES = "color-contrast image-alt link-name button-name summary-name document-title html-has-lang html-lang-valid"
RULES += " valid-lang tabindex skip-link bypass scrollable-region-focusable label list listitem heading-order"


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
    here = ("file:", "data:", "about:")
    assert not [url for url in page.asked if not url.startswith(here)], "nothing comes from elsewhere"
    assert page.eval_on_selector_all(".bd-article img", "all => all.every(i => i.naturalWidth > 0 && i.alt.length > 0)")


def test_search_finds_a_word(page):
    page.goto(f"{(SITE / 'search.html').as_uri()}?q=Nelson")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    assert any("22" in title for title in page.eval_on_selector_all("#search-results li a", "a => a.map(x => x.text)"))


@pytest.mark.parametrize(("word", "number"), [("预期亏空", "21"), ("反向传播", "13"), ("LSTM", "15")])
def test_search_finds_a_chinese_term(page, word, number):
    page.goto(f"{(SITE / 'zh/search.html').as_uri()}?q={word}")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    titles = page.eval_on_selector_all("#search-results li a", "a => a.map(x => x.text)")
    assert any(number in title for title in titles), titles
    page.goto(f"{(SITE / 'zh/search.html').as_uri()}?q=没有这样的词组")
    page.wait_for_function("() => document.querySelector('#search-results .search-summary')?.innerText.length > 5")
    assert page.locator("#search-results li a").count() == 0, "all pairs of characters must stand on a page"


STOP = """() => {
  const it = document.activeElement, style = getComputedStyle(it);
  const places = {skip: "#pst-skip-link", parts: ".bd-sidebar-primary", bar: ".bd-header-article",
    contents: ".bd-sidebar-secondary", text: ".bd-article", turn: ".prev-next-footer"};
  const place = Object.keys(places).find(name => it.closest(places[name])) || it.tagName;
  const seen = style.outlineStyle !== "none" || style.boxShadow !== "none";
  return [place, seen, it.outerHTML.slice(0, 90)];
}"""


def test_the_keyboard_goes_through_a_page_in_reading_order(page):
    show(page, "notebooks/12_gradient_descent")
    page.emulate_media(reduced_motion="reduce")
    stops = []
    while not stops or stops[-1][0] != "BODY":
        page.keyboard.press("Tab")
        stops.append(page.evaluate(STOP))
        assert len(stops) < 1000, "the keyboard is caught"
    assert not [what for place, seen, what in stops if not seen and place != "BODY"], "a focus that nobody sees"
    places = [place for place, *_ in stops]
    order = [one for one, before in zip(places, [None, *places], strict=False) if one != before]
    assert order == ["skip", "parts", "bar", "text", "turn", "contents", "BODY"]
    show(page, "notebooks/12_gradient_descent")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate(STOP)[0] in ("bar", "text"), "past the list of parts"


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
    page.screenshot(path=SHOTS / f"phone-{name.replace('/', '-')}.png")
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert width <= 392


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_contrast_and_names_by_axe(page, name, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install -e .[browser]")
    show(page, name)
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    page.evaluate("Promise.all(document.getAnimations().map(one => one.finished))")  # colours fade into each other
    found = axe.Axe().run(page, options={"runOnly": RULES.split()}).response["violations"]
    assert not found, [(v["id"], [node["html"][:90] for node in v["nodes"][:3]], len(v["nodes"])) for v in found]


@pytest.mark.parametrize("line", ["[there](nowhere.md)", "[there](index.md#no-such-title)", "{term}`no such term`"])
def test_a_dead_link_fails_the_build(tmp_path, line):
    sources = tmp_path / "sources"
    shutil.copytree(SITE.parents[1] / "site", sources, ignore=shutil.ignore_patterns("*.txt", "*.in"))
    (sources / "index.md").write_text("# A page\n\nAll is well.\n", encoding="utf-8")
    site.render(sources, tmp_path / "good")
    (sources / "index.md").write_text(f"# A page\n\nIt is {line}.\n", encoding="utf-8")
    with pytest.raises(CourseError, match=r"The site was not made:\n.*index\.md:3"):
        site.render(sources, tmp_path / "bad")
