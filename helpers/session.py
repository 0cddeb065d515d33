"""Start a notebook: seeds, backend and device, figure style, and the choice between a quick and a full run."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

from helpers import record
from helpers.errors import CourseError

T = TypeVar("T")
PROFILES = ("quick", "full")
_PACKAGE = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}


@dataclass(frozen=True)
class Run:
    """What a notebook knows about its own run: profile, seed, Keras backend, device ("CPU" or "GPU")."""

    profile: str
    seed: int
    backend: str
    device: str
    packages: dict[str, bool] = field(default_factory=dict)  # of `needs`: is it installed?

    def has(self, name: str) -> bool:
        """Is this package of `needs` installed? Raises CourseError for one that `start` was not told of."""
        if name not in self.packages:
            raise CourseError(
                f"{name!r} is not in `session.start(…, needs=…)`; add it there and in the row `Packages`."
            )
        return self.packages[name]

    def pick(self, *, quick: T, full: T) -> T:
        """Return the value for this run's profile."""
        return quick if self.profile == "quick" else full


def start(profile: str = "quick", seed: int = 7, needs: tuple[str, ...] = ()) -> Run:
    """Seed Python, NumPy and the backend, set the figure style, report the session in one line.

    `profile` is "quick" (two CPU cores, under a minute) or "full" (what a GPU is for). The backend is the one
    that KERAS_BACKEND or Keras's own configuration names, TensorFlow by default. `needs` names packages
    beyond the core, as pip knows them, that some sections can use: one more line says which are missing and what
    brings them, and `run.has(name)` lets the notebook go on without such a section. Raises CourseError for an
    unknown profile, a seed that is not a non-negative integer, or a backend that is not installed.
    """
    if profile not in PROFILES:
        raise CourseError(f"PROFILE is {profile!r}; it must be 'quick' or 'full'.")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise CourseError(f"SEED is {seed!r}; it must be a whole number from 0 to 4294967295.")
    from helpers import plots

    packages = {name: _version(name) is not None for name in needs}
    backend, device = _load_keras(seed)
    plots.style()
    record.write(
        "session",
        profile=profile,
        seed=seed,
        backend=backend,
        device=device,
        versions={name: _version(name) for name in ("keras", _PACKAGE.get(backend, backend), "numpy", "pandas")},
    )
    print(f"Profile {profile} · seed {seed} · Keras on {backend} · {device}")
    if missing := [name for name, here in packages.items() if not here]:
        print(f"Not installed: {', '.join(missing)}; what uses it is left out. {_how_to_get(missing)}")
    return Run(profile, seed, backend, device, packages)


def _how_to_get(missing: list[str]) -> str:
    """The command that brings these packages: the extra that pyproject.toml puts them in."""
    from helpers import notebooks  # late: only this needs it

    try:
        known = notebooks.extras()
    except (OSError, KeyError, ValueError):  # no checkout around this package
        known = {}
    named = [known.get(notebooks.package_name(name)) for name in missing]
    if None in named:
        return f"To have it: pip install {' '.join(missing)}"
    return f'To have it, in the course\'s folder: pip install -e ".[{",".join(sorted(set(named)))}]"'


def _load_keras(seed: int) -> tuple[str, str]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_stderr():
        try:
            import keras
        except (ImportError, ValueError) as error:
            backend = os.environ.get("KERAS_BACKEND", "tensorflow")
            raise CourseError(
                f"Keras cannot load its backend {backend!r} ({error}). Install it with "
                f'`pip install -e ".[{backend}]"`, or choose another with the variable KERAS_BACKEND.'
            ) from None
        keras.utils.set_random_seed(seed)
        backend = keras.backend.backend()
        device = "GPU" if _has_gpu(backend) else "CPU"
    return backend, device


def _has_gpu(backend: str) -> bool:
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return jax.default_backend() not in ("cpu",)
    if backend == "torch":
        import torch

        return torch.cuda.is_available() or torch.backends.mps.is_available()
    return False


def _version(name: str) -> str | None:
    for candidate in (name, f"{name}-cpu"):
        with contextlib.suppress(PackageNotFoundError):
            return version(candidate)
    return None


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send file descriptor 2 to nowhere for a moment: C++ libraries log there while they load.

    Python errors are raised as ever; only what native code prints is dropped.
    """
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, ValueError):
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
