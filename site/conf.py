"""How Sphinx makes the site from the sources that helpers/course/site.py writes. Nothing is fetched or executed."""

import re
from pathlib import Path

import jupyter_server_mathjax
from sphinx.search.zh import SearchChinese

project = "Deep learning in finance"
author = "The authors of the course"
copyright = "code: MIT, prose and figures: CC BY 4.0"
extensions = ["myst_nb", "sphinx_copybutton"]
exclude_patterns = ["_static"]
language = "en"

nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "text/html", 10), ("html", "image/png", 5), ("html", "image/svg+xml", 4)]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "html_image"]
myst_heading_anchors = 4
myst_all_links_external = False
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_js_files = ["course.js"]
html_extra_path = []
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "home_page_in_toc": True,
    "navbar_persistent": [],  # one search field, in the sidebar, is enough
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

# Formulas are drawn by MathJax from this site, so that it reads offline.
mathjax_path = "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full"
mathjax2_config = {
    "tex2jax": {"processClass": "tex2jax_process|mathjax_process|math|output_area"},
    # the fonts that this MathJax brings along
    "HTML-CSS": {"availableFonts": [], "preferredFont": None, "imageFont": None, "webFont": "STIX-Web"},
    "messageStyle": "none",
}


class Pairs(SearchChinese):
    """Chinese is indexed and searched by pairs of neighbouring characters: no dictionary holds a course's terms."""

    language_name = "English"  # of the stemmer, for words in Latin letters: Sphinx 9 would name one that is not there
    runs = re.compile(r"[\u3400-\u9fff]+|[^\W\u3400-\u9fff]+")
    js_splitter_code = r"""
var splitQuery = (query) =>
  (query.match(/[\u3400-\u9fff]+|(?:(?![\u3400-\u9fff])[\p{L}\p{N}_])+/gu) || []).flatMap((run) =>
    /[\u3400-\u9fff]/.test(run) && run.length > 2
      ? Array.from({ length: run.length - 1 }, (_, i) => run.slice(i, i + 2))
      : [run]
  );
"""

    def split(self, input):
        """The pairs of every run of Chinese characters, and the other words as they are."""
        found = []
        for run in self.runs.findall(input):
            chinese = "\u3400" <= run[0] <= "\u9fff"
            found += [run[i : i + 2] for i in range(len(run) - 1)] if chinese and len(run) > 2 else [run]
            if not chinese:
                self.latin_terms.add(run)
        return found


def setup(app):
    """Put MathJax beside the pages."""
    from sphinx.util.fileutil import copy_asset

    app.add_search_language(Pairs)

    def copy(app, error):
        if error is None and app.builder.format == "html":
            source = Path(jupyter_server_mathjax.__file__).parent / "static"
            copy_asset(str(source), str(Path(app.outdir) / "_static/mathjax"))

    app.connect("build-finished", copy)
