"""Runs of independent tasks on a cluster of workers, whose law is known: what Amdahl's has, and what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import CourseError


@dataclass(frozen=True)
class ClusterRuns:
    """Runs of the same job, one a row.

    seconds (runs,): from the start to the last result. durations (runs, tasks): seconds of each task on its worker, in
    the order in which the tasks are handed out. spans (runs,): seconds from the first task's start to the last's end.
    """

    seconds: np.ndarray
    durations: np.ndarray
    spans: np.ndarray


def cluster_runs(
    tasks: int,
    workers: int,
    runs: int,
    *,
    serial: float = 2.0,
    collect: float = 0.02,
    task: float = 1.0,
    chatter: float = 0.0,
    stragglers: float = 0.0,
    slow: float = 10.0,
    noise: float = 0.02,
    seed: int = 7,
) -> ClusterRuns:
    """Tasks handed out one after another, each to the worker that is free first (list scheduling, Graham 1969).

    A run takes `serial` seconds, then the tasks' span, then `collect` seconds a task and `chatter` a worker, all times
    a factor exp(noise · N(0, 1)) of its own. A task takes `task` seconds, `slow` times as long with probability
    `stragglers`. Without chatter and stragglers, and where the workers divide the tasks, Amdahl's law is exact: on
    average serial + collect · tasks + task · tasks / workers, times exp(noise² / 2). Raises CourseError for sizes
    below 1 or negative seconds.
    """
    if min(tasks, workers, runs) < 1 or min(serial, collect, task, chatter, stragglers, noise) < 0 or slow < 1:
        raise CourseError("cluster_runs needs sizes and `slow` of at least 1, and nothing negative.")
    rng = np.random.default_rng(seed)
    durations = task * np.where(rng.random((runs, tasks)) < stragglers, slow, 1.0)
    factor = np.exp(noise * rng.standard_normal(runs))
    free, row = np.zeros((runs, workers)), np.arange(runs)
    for k in range(tasks):  # all runs at once
        free[row, free.argmin(axis=1)] += durations[:, k]
    spans = free.max(axis=1)
    seconds = factor * (serial + spans + collect * tasks + chatter * workers)
    return ClusterRuns(seconds, factor[:, None] * durations, factor * spans)
