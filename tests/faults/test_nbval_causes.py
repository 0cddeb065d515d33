"""A failing comparison ends with the notebook, the cell and the cause."""

import subprocess
import sys

import nbformat.v4 as v4


def test_the_last_lines_say_which_notebook_which_cell_and_why(tmp_path):
    told = v4.new_output("stream", name="stdout", text="7\n")
    cells = [
        v4.new_code_cell("x = 1"),
        v4.new_code_cell("print(8)", outputs=[told], execution_count=2),
        v4.new_code_cell("from helpers import evidence\nevidence.claim('Two is three', 2 == 3)"),
    ]
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    (tmp_path / "98_toy.ipynb").write_text(v4.writes(notebook), encoding="utf-8")
    options = ["-p", "helpers.course.nbval_causes", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-c", "/dev/null", "98_toy.ipynb"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    lines = done.stdout.splitlines()[-5:-1]
    assert lines[0] == "✗ 98_toy.ipynb, In [2]: print(8)"
    assert lines[1].startswith("  other output than the stored one: mismatch 'stdout'")
    assert lines[2] == "✗ 98_toy.ipynb, In [3]: from helpers import evidence"
    assert lines[3] == "  ClaimError: This run does not bear out the claim: Two is three"
