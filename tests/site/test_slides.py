"""Slides of three notebooks in headless Chromium: nothing from the network, every slide fits, formulas are drawn."""

import shutil

import pytest

from helpers.course import slides
from helpers.notebooks import select

pytestmark = [
    pytest.mark.site,
    pytest.mark.skipif(not (shutil.which("chromium") or shutil.which("google-chrome")), reason="needs Chromium"),
]
SIZES = """() => Reveal.getSlides().map(slide => {
  const {h, v} = Reveal.getIndices(slide); Reveal.slide(h, v);
  const wide = [...slide.querySelectorAll("table, img, .MathJax_Display")].map(e => e.scrollWidth);
  return [h, v || 0, slide.scrollHeight, Math.max(0, ...wide), slide.innerText.slice(0, 60)];
})"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pytest.importorskip("sphinx_revealjs")
    pytest.importorskip("jupyter_server_mathjax")
    out = tmp_path_factory.mktemp("slides")
    slides.assets(out)
    return [slides.write(notebook, out) for notebook in select(["11", "22", "30"])]


def test_every_slide_fits_and_nothing_is_fetched(made):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
        )
        for path in made:
            page, asked = browser.new_page(viewport={"width": 1280, "height": 800}), []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(path.as_uri())
            page.wait_for_function("window.Reveal && Reveal.isReady()")
            page.wait_for_function("window.MathJax && MathJax.Hub.queue.queue.length == 0 && MathJax.isReady")
            page.wait_for_selector(".MathJax", state="attached")
            assert not [url for url in asked if url.startswith("http")], path.name
            slides_seen = page.evaluate(SIZES)
            assert len(slides_seen) > 60
            assert not [one for one in slides_seen if one[2] > 720 or one[3] > 1120], path.name
            assert page.evaluate("() => [...document.images].every(image => image.alt.length > 20)"), path.name
            assert "$" not in page.inner_text(".reveal .slides section.present")
        browser.close()
