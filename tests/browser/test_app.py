"""A client's test: `python -m helpers.app` in headless Chromium, an advice, and a wrong answer; screenshots are kept.

Needs Voilà (extra `app`) and Chromium; `make test-browser` runs it, the screenshots land in build/browser/.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "build/browser"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The app, served by Voilà on a free port."""
    pytest.importorskip("voila", reason="pip install -e .[app]")
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home)}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    server = subprocess.Popen(
        [sys.executable, "-m", "helpers.app", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        for line in server.stderr:
            if match := re.search(r"http://(?:localhost|127\.0\.0\.1):\d+/\S*", line):
                break
        else:
            pytest.fail("Voilà did not start")
        drain = subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
        yield match[0]
        drain.terminate()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@pytest.fixture(scope="module")
def page():
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e .[browser]")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--no-first-run"]
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser.new_page(viewport={"width": 900, "height": 1150})
        browser.close()


def test_the_app_advises_and_says_which_answer_to_mend(address, page):
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.goto(address)
    page.wait_for_selector('button:has-text("Advise")', timeout=120_000)
    page.click('button:has-text("Advise")')
    page.wait_for_selector(".course-advice li", timeout=60_000)
    sentences = page.eval_on_selector_all(".course-advice li", "items => items.map(i => i.textContent)")
    assert len(sentences) >= 5 and re.search(r"hold \d+% in the share fund", sentences[0])
    page.wait_for_function(
        "() => [...document.querySelectorAll('img')].some(i => i.naturalWidth > 300 && i.offsetWidth > 300)"
    )
    page.screenshot(path=SHOTS / "app_advice.png")

    years = page.locator('.widget-text:has-text("Years until then") input')
    years.fill("40")
    years.press("Tab")
    page.click('button:has-text("Advise")')
    page.wait_for_selector(".course-error", timeout=60_000)
    assert "give a number from 1 to 20" in page.text_content(".course-error")
    assert not page.query_selector(".course-advice")
    page.screenshot(path=SHOTS / "app_error.png")
    assert not page.query_selector(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")
