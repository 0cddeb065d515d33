import subprocess
import sys
import time

import pytest

from helpers import session
from helpers.errors import CourseError


def python(code, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_import_helpers_is_quick_and_brings_no_framework():
    rooms = "audit, datasets, errors, evidence, metrics, plots, record, session, worlds, splits, training, windows"
    code = f"""if True:
        import sys, time
        started = time.perf_counter()
        import helpers
        seconds = time.perf_counter() - started
        from helpers import {rooms}
        print(seconds, [name for name in ("tensorflow", "keras", "jax", "torch") if name in sys.modules])
    """
    done = python(code)
    seconds, frameworks = done.stdout.split(" ", 1)
    assert float(seconds) < 0.3 and frameworks.strip() == "[]", done.stderr


def test_start_reports_in_one_line_and_is_silent_on_stderr():
    started = time.perf_counter()
    done = python("from helpers import session; run = session.start('quick', 3); print(run.pick(quick=1, full=2))")
    assert done.stdout == "Profile quick · seed 3 · Keras on tensorflow · CPU\n1\n" or "GPU" in done.stdout
    assert done.stderr == ""
    assert time.perf_counter() - started < 30


def test_start_seeds_everything():
    code = """if True:
        from helpers import session
        session.start(seed=11)
        import random, numpy as np, keras
        print(random.random(), np.random.rand(), float(keras.random.uniform(()).numpy()))
    """
    assert python(code).stdout == python(code).stdout != ""


@pytest.mark.parametrize(
    "profile,seed", [("fast", 7), ("", 7), ("quick", -1), ("quick", 1.5), ("quick", True), ("full", 2**32)]
)
def test_wrong_parameters_are_refused(profile, seed):
    with pytest.raises(CourseError, match="must be"):
        session.start(profile, seed)


def test_a_missing_backend_says_how_to_get_it():
    done = python("from helpers import session; session.start()", KERAS_BACKEND="nonesuch")
    assert "CourseError: Keras cannot load its backend 'nonesuch'" in done.stderr and "pip install" in done.stderr
