"""A reader's test: open each notebook in JupyterLab in headless Chromium, Run All, look for errors, keep a screenshot.

`make test-browser` runs it; the screenshots land in build/browser/. It works on a copy, so that nothing here changes.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
SHOTS = ROOT / "build/browser"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
# true once the kernel has been busy and is idle again, with no cell waiting (it is idle for a moment between two cells)
DONE = """() => {
    const panel = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)');
    const status = panel.querySelector('.jp-Notebook-ExecutionIndicator').dataset.status;
    window.courseSawBusy = window.courseSawBusy || status === 'busy';
    const waiting = [...panel.querySelectorAll('.jp-InputPrompt')].some(prompt => prompt.textContent.includes('[*]'));
    return window.courseSawBusy && status === 'idle' && !waiting;
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the course, its token left on; yields the address and the token."""
    folder = tmp_path_factory.mktemp("lab") / "course"
    home = tmp_path_factory.mktemp("home")
    skip = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=skip)
    settings = home / "lab/user-settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"windowingMode": "none"}', encoding="utf-8")  # all cells in the page, not only those in view
    token = secrets.token_hex(16)
    environment = {**os.environ, "JUPYTER_TOKEN": token, "JUPYTER_CONFIG_DIR": str(home), "JUPYTER_DATA_DIR": str(home)}
    environment.pop("COURSE_PROGRESS", None)
    options = ["--no-browser", "--port=0", "--ServerApp.allow_root=True", f"--ServerApp.root_dir={folder}"]
    options += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in server.stderr:
            if match := re.search(r"(http://(?:localhost|127\.0\.0\.1):\d+)/lab", line):
                break
        else:
            pytest.fail("JupyterLab did not start")
        # keep its pipe from filling up while the tests run
        drain = subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
        yield match[1], token, folder
        drain.terminate()
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def page():
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e .[browser]")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--no-first-run"]
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(180_000)  # two busy cores take minutes over what takes seconds
        yield page
        browser.close()


@pytest.mark.parametrize("name", NAMES)
def test_run_all_in_jupyterlab(lab, page, name):
    address, token, folder = lab
    page.set_viewport_size({"width": 1280, "height": 1600})
    page.goto(f"{address}/lab/tree/notebooks/{name}?token={token}&reset")
    # The indicator says idle before there is a kernel at all; Run All would then open a dialog that asks for one.
    page.wait_for_selector(f'{PANEL} .jp-KernelName:has-text("Python 3")')
    page.wait_for_selector(f"{PANEL} .jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")
    page.click('.lm-MenuBar-itemLabel:text-is("Run")')  # the menu, not the word in a notebook
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    page.wait_for_function(DONE, timeout=600_000, polling=200)
    assert not page.query_selector(".jp-Dialog"), page.text_content(".jp-Dialog")
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    saved = json.loads((folder / "notebooks" / name).read_text(encoding="utf-8"))
    code = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    errors = [o for cell in code for o in cell["outputs"] if o["output_type"] == "error"]
    assert not errors, f"{name}: {errors[0]['ename']}: {errors[0]['evalue']}"
    assert all(cell["execution_count"] for cell in code), f"{name}: a cell did not run"
    assert not [o for cell in code for o in cell["outputs"] if o.get("name") == "stderr"], (
        f"{name}: something on stderr"
    )
    widths = page.eval_on_selector_all(".jp-RenderedImage img", "images => images.map(i => i.naturalWidth)")
    words = page.eval_on_selector_all(".jp-OutputArea-output details", "all => all.map(d => d.textContent.length)")
    assert len(widths) == len(words) > 0 and min(widths) > 300 and min(words) > 20, f"{name}: a figure is not shown"
    SHOTS.mkdir(parents=True, exist_ok=True)
    height = page.eval_on_selector(".jp-WindowedPanel-outer", "panel => panel.scrollHeight")
    page.set_viewport_size({"width": 1280, "height": min(int(height) + 150, 16_000)})
    page.screenshot(path=SHOTS / f"{name.removesuffix('.ipynb')}.png")
    for session in page.request.get(f"{address}/api/sessions?token={token}").json():  # a kernel holds up to 1.3 GB
        assert page.request.delete(f"{address}/api/sessions/{session['id']}?token={token}").ok
