"""Runs in the kernel of a run, called by the worker: does the check of an exercise reject wrong answers?

The wrong answers of an exercise stand in `metadata.course.wrong` of its check cell, as Python sources.
"""

from __future__ import annotations

import os

from helpers import record

_kept: dict[int, dict] = {}


def keep(cell: int) -> None:
    """Remember the notebook's names as they were when the check of this cell (counted from 1) had passed."""
    from IPython import get_ipython

    _kept[cell] = dict(get_ipython().user_ns)


def prove(cell: int, check: str, wrong: list[str]) -> None:
    """Give the check each wrong answer in turn, after the notebook's last cell, so that no stored output can change.

    Writes one record an answer: `why` is empty when the check raised, as it should. What is printed, shown or claimed
    on the way is dropped.
    """
    from IPython import get_ipython
    from IPython.utils.capture import capture_output

    shell, found, path = get_ipython(), [], os.environ.pop("COURSE_RECORD", None)
    for number, source in enumerate(wrong, 1):
        shell.user_ns.clear()
        shell.user_ns.update(_kept[cell])
        with capture_output():
            answer = shell.run_cell(source, store_history=False)
            passed = answer.success and shell.run_cell(check, store_history=False).success
        error = answer.error_before_exec or answer.error_in_exec
        why = f"does not run ({type(error).__name__}: {error})" if error else "passes the check" if passed else ""
        found.append({"cell": cell, "wrong": number, "why": why})
    if path:
        os.environ["COURSE_RECORD"] = path
    for line in found:
        record.write("exercise", **line)
