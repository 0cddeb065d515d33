"""Simulated worlds at full size: our vectorised ones, a plain loop in time, and the limit, drawing the numbers."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Result, compare, slope
from helpers import worlds

N = 1_000_000


def _gbm_loop(paths: int, steps: int) -> np.ndarray:
    rng, dt = np.random.default_rng(7), 1 / steps
    prices = np.empty((paths, steps + 1))
    for path in range(paths):
        prices[path, 0] = 100.0
        for step in range(steps):
            prices[path, step + 1] = prices[path, step] * np.exp(
                (0.05 - 0.02) * dt + 0.2 * np.sqrt(dt) * rng.standard_normal()
            )
    return prices


def _garch_loop(n: int) -> np.ndarray:
    rng, h, r = np.random.default_rng(7), 1e-4, np.empty(n)
    for t in range(n):
        r[t] = np.sqrt(h) * rng.standard_normal()
        h = 2e-6 + 0.08 * r[t] ** 2 + 0.90 * h
    return r


def _ar_loop(n: int) -> np.ndarray:
    rng, r = np.random.default_rng(7), np.zeros(n)
    for t in range(1, n):
        r[t] = 0.1 * r[t - 1] + 0.01 * rng.standard_normal()
    return r


def run() -> list[Result]:
    """Limits draw as many normal numbers as the world needs. A loop gets a small part, its time is scaled up."""

    def draw(n: int):
        return lambda: np.random.default_rng(7).standard_normal(n)

    cases = {
        "gbm": (lambda: worlds.gbm(4_000, 250), lambda: _gbm_loop(40, 250), 100, N),
        "ar1": (lambda: worlds.ar1(N), lambda: _ar_loop(N // 100), 100, N),
        "garch11": (lambda: worlds.garch11(N), lambda: _garch_loop(N // 100), 100, N),
    }
    results = []
    for name, (ours, loop, share, n) in cases.items():
        result = compare(name, {"ours": ours, "drawing the random numbers": draw(n)}, rows=n)
        result.limit(3, "drawing the random numbers")
        slow = compare(name, {"ours": ours, f"a loop over 1 / {share} of it": loop}, repeats=3, rows=n)
        times = share * slow.faster_than(f"a loop over 1 / {share} of it")
        result.notes.append(f"a loop in Python would take {times:,.0f} times as long")
        results.append(result)
    world = worlds.garch11(10_000)
    days = compare("ohlc, 78 steps a day", {
        "ours": lambda: worlds.ohlc(world), "drawing the random numbers": draw(10_000 * 78)
    }, rows=10_000)  # fmt: skip
    days.limit(3, "drawing the random numbers")

    def make(scale):
        n = int(20_000 * scale)
        return lambda: worlds.garch11(n), n

    return [*results, days, slope("garch11", make)]
