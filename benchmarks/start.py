"""What a reader waits for before the first layer: `import helpers`, and session.start against a bare `import keras`."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.harness import Result, compare

LAYER = "import numpy as np; keras.layers.Dense(1)(np.ones((1, 1), 'float32'))"
BARE = f"import keras; {LAYER}"
OURS = f"from helpers import session; session.start(); import keras; {LAYER}"


def _python(code: str):
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    return lambda: subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)


def run() -> list[Result]:
    """Whole processes, so that nothing is imported yet."""
    helpers = compare("import helpers", {"ours": _python("import helpers"), "python -c pass": _python("pass")})
    helpers.limits.append("python -c pass")
    helpers.goal("adds ≤ 0.3 s", helpers.slower_by("python -c pass"), high=0.3)
    layer = compare("to the first Keras layer", {"ours": _python(OURS), "bare keras": _python(BARE)}, repeats=9)
    layer.limits.append("bare keras")
    layer.goal("adds ≤ 0.3 s", layer.slower_by("bare keras"), high=0.3)
    return [helpers, layer]
