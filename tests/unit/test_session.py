import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers import session
from helpers.errors import CourseError


def python(code, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )


ROOMS = sorted(path.stem for path in Path(session.__file__).parent.glob("[a-z]*") if path.stem != "course")
METRICS = sorted(path.stem for path in Path(session.__file__).parent.glob("metrics/[a-z]*.py"))


def test_the_rooms_import_quickly_and_bring_no_framework():
    assert {"worlds", "training", "session", "datasets"} <= set(ROOMS) and {"fairness", "forecast"} <= set(METRICS)
    code = f"""if True:
        import sys, time
        import numpy, pandas, scipy.stats, sklearn.metrics, matplotlib.pyplot
        started = time.perf_counter()
        from helpers import {", ".join(ROOMS)}
        from helpers.metrics import {", ".join(METRICS)}
        seconds = time.perf_counter() - started
        print(seconds, [name for name in ("tensorflow", "keras", "jax", "torch") if name in sys.modules])
    """
    done = python(code)
    assert done.returncode == 0, done.stderr
    seconds, frameworks = done.stdout.split(" ", 1)
    assert float(seconds) < 1 and frameworks.strip() == "[]"


def test_the_worlds_need_numpy_and_pandas_only():
    code = """if True:
        import sys
        from helpers import worlds
        heavy = ("tensorflow", "keras", "jax", "torch", "sklearn", "matplotlib", "statsmodels", "scipy")
        print([name for name in heavy if name in sys.modules])
    """
    assert python(code).stdout == "[]\n"


def test_missing_packages_are_named_with_what_brings_them_and_the_notebook_goes_on():
    code = """if True:
        from helpers import session
        run = session.start(needs=("numpy", "Bt", "no-such-package"))
        print(run.has("numpy"), run.has("no-such-package"))
        print(session._how_to_get(["cvxpy", "quantlib", "mapie"]))
    """
    done = python(code)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 4, done.stderr
    assert lines[1].startswith("Not installed: ") and "no-such-package; what uses it is left out." in lines[1]
    assert lines[1].endswith("no-such-package")  # in no extra: by its own name
    assert lines[2] == "True False"
    assert lines[3] == 'To have it, in the course\'s folder: pip install -e ".[markets,trust]"'


def test_a_package_that_start_was_not_told_of_is_refused():
    with pytest.raises(CourseError, match="needs="):
        session.Run("quick", 7, "tensorflow", "CPU").has("cvxpy")


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
