"""Wrong worlds, in which a finding has to break: what `metadata.course.controls` of a notebook is written with.

The runner injects one cell behind the imports of a copy: an import of this room, `controls.lenient()` and the source of
one world. What stands here replaces what the notebook calls through its module, `datasets.load` or
`training.fit`, in that kernel alone. A claim that holds in every wrong world says nothing, unless it is `label_free`.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from helpers import record
from helpers.errors import ClaimError, CourseError

ASSERT = "assert "  # how the record of an assertion begins that a cell makes beside the claims


def spare_exercises() -> None:
    """Do not try the wrong answers of the exercises: on other data or claims their checks need not reject them."""
    from helpers.course import exercises

    exercises.keep = exercises.prove = lambda *_: None


def lenient() -> None:
    """Let the notebook go on after a claim or an assertion that fails; each stands in the record."""
    from helpers import evidence

    spare_exercises()
    for name in ("claim", "band"):
        setattr(evidence, name, _forgiving(getattr(evidence, name)))
    try:
        shell = get_ipython()
    except NameError:
        return
    shell.user_ns["_recorded_assert"] = _recorded_assert
    shell.ast_transformers.append(_Asserts())


def _forgiving(claim: Callable) -> Callable:
    @functools.wraps(claim)
    def recorded(*arguments: Any, **options: Any) -> None:
        try:
            claim(*arguments, **options)
        except ClaimError as error:
            print(f"✗ {error}")

    return recorded


def _recorded_assert(text: str, held: object) -> None:
    record.write("claim", text=ASSERT + text, status="held" if held else "failed")


class _Asserts(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        text = ast.Constant(ast.unparse(node.test)[:200])
        call = ast.Call(ast.Name("_recorded_assert", ast.Load()), [text, node.test], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))


def change(name: str, how: Callable[[Any], Any]) -> None:
    """Pass every frame that `datasets.load(name)` returns through `how`; its attrs, origin included, are kept."""
    from helpers import datasets

    load = datasets.load

    @functools.wraps(load)
    def changed(wanted: str, *arguments: Any, **options: Any) -> Any:
        frame = load(wanted, *arguments, **options)
        if wanted != name:
            return frame
        attrs = dict(frame.attrs)
        frame = how(frame)
        frame.attrs = attrs
        return frame

    datasets.load = changed


def shuffle(columns: dict[str, list[str] | str], seed: int = 0) -> None:
    """Permute columns of data sets, each by itself: {set: [column, …]}, or {set: "all"}. Nothing hangs together then.

    Raises CourseError, when the set is loaded, for a column that it has not.
    """
    for name, chosen in columns.items():

        def shuffled(frame: Any, chosen: list[str] | str = chosen) -> Any:
            rng, frame = np.random.default_rng(seed), frame.copy()
            for column in frame.columns if chosen == "all" else chosen:
                _permute(frame, [column], rng.permutation(len(frame)))
            return frame

        change(name, shuffled)


def permute_rows(stay: dict[str, list[str]], within: str | None = None, seed: int = 0) -> None:
    """Permute whole rows of data sets under the columns that stay, {set: [column, …]}: each row keeps its values, but
    for the calendar or the key that stays. With `within`, a column, rows do not leave their group.
    """
    for name, kept in stay.items():

        def permuted(frame: Any, kept: list[str] = kept) -> Any:
            rng, frame = np.random.default_rng(seed), frame.copy()
            groups = np.zeros(len(frame), int) if within is None else frame[within].factorize()[0]
            rows = np.empty(len(frame), int)
            rows[np.argsort(groups, kind="stable")] = np.lexsort((rng.random(len(frame)), groups))
            _permute(frame, [c for c in frame.columns if c not in {*kept, within}], rows)
            return frame

        change(name, permuted)


def shuffle_world(name: str, columns: list[str], seed: int = 0) -> None:
    """Permute columns, together, in what the simulated world `name` returns: of its frame, of the frame among its
    fields that has them, or the fields of these names themselves.
    """
    from helpers import worlds

    make = getattr(worlds, name)

    @functools.wraps(make)
    def shuffled(*arguments: Any, **options: Any) -> Any:
        made, rng = make(*arguments, **options), np.random.default_rng(seed)
        fields = {} if hasattr(made, "columns") else {f.name: getattr(made, f.name) for f in dataclasses.fields(made)}
        for frame in [made, *fields.values()]:
            if set(columns) <= set(getattr(frame, "columns", ())):
                _permute(frame, columns, rng.permutation(len(frame)))
                return made
        if set(columns) <= set(fields):
            rows = rng.permutation(len(fields[columns[0]]))
            return dataclasses.replace(made, **{column: fields[column][rows] for column in columns})
        raise CourseError(f"controls.shuffle_world: {name} has no {', '.join(columns)}; correct the control.")

    setattr(worlds, name, shuffled)


def _permute(frame: Any, columns: list[str], rows: np.ndarray) -> None:
    if missing := set(columns) - set(frame.columns):
        known = f"{', '.join(sorted(missing))}; it has {', '.join(map(str, frame.columns))}"
        raise CourseError(f"controls: {frame.attrs.get('name', 'the frame')} has no column {known}.")
    for column in columns:
        frame[column] = frame[column].iloc[rows].set_axis(frame.index)  # keeps categories and dates what they are


def dead_networks() -> None:
    """Let `training.fit` take no step of the optimiser: every network stays as it was initialised, on any backend.

    The History is that of a training whose losses stand still until its patience ends.
    """
    from helpers import training

    training.fit = _dead_fit


def _dead_fit(
    model: Any,
    X: Any,
    y: np.ndarray,
    *,
    validation: tuple[Any, np.ndarray],
    epochs: int,
    batch_size: int = 256,
    patience: int = 5,
    seed: int = 7,
    sample_weight: np.ndarray | None = None,
    **_: Any,
) -> Any:
    import keras
    import pandas as pd

    from helpers import training

    keras.utils.set_random_seed(seed)  # a model that is not built yet draws its weights here, as in `fit`
    options = {"batch_size": max(batch_size, 1024), "verbose": 0, "return_dict": True}
    losses = model.evaluate(X, y, sample_weight=sample_weight, **options)
    losses |= {f"val_{name}": value for name, value in model.evaluate(*validation, **options).items()}
    frame = pd.DataFrame([losses] * min(epochs, patience + 1))
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="epoch")
    return training.History(frame, 1, 0.0)
