"""The `course` command line. Heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from helpers.errors import CourseError

EXAMPLES = """
\b
Examples:
  course list                     what there is, and how it last went
  course run                      run every notebook on real data, quick profile
  course run 11 20 --jobs 2       two of them, side by side
  course run 20 --backend jax     the same source on another backend
  course data fetch               have all data at hand before going offline
  course doctor                   what is missing here, and what to type
"""


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order below, which is the order of use


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=_Group, epilog=EXAMPLES, context_settings=SETTINGS)
@click.version_option(None, "--version", package_name="deep-learning-in-finance", prog_name="course")
@click.option("--debug", is_flag=True, help="Show the traceback of an unexpected error.")
def course(debug: bool) -> None:
    """Run, check and prove the course “Deep learning in finance”."""


def _console(stderr: bool = False):
    from rich.console import Console

    # Off a terminal a table must not be folded to a guessed 80 columns.
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else 100
    return Console(stderr=stderr, width=width, highlight=False)


def _run(plan, console, before: dict[str, dict], done_before: dict[str, dict], report: bool = True) -> dict[str, dict]:
    """Execute a plan under a progress display; returns the results by number."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from helpers.course import runner
    from helpers.course.report import line

    results, began = dict(done_before), time.monotonic()
    display = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("cells"), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )
    bars: dict[str, int] = {}

    def tell(notebook, event: dict) -> None:
        if event["event"] == "start":
            bars[notebook.number] = display.add_task(notebook.label, total=event["cells"])
            if not console.is_terminal:
                console.print(f"running  {notebook.label}", soft_wrap=True)
        elif event["event"] == "cell":
            display.update(bars[notebook.number], completed=event["done"])

    def done(notebook, result: dict) -> None:
        results[notebook.number] = result
        if notebook.number in bars:
            display.remove_task(bars.pop(notebook.number))
        console.print(line(result), soft_wrap=True)
        if report:
            runner.write_report(plan, results, before, time.monotonic() - began)

    with display:
        runner.execute(plan, tell, done)
    return results


@course.command()
@click.argument("numbers", nargs=-1)
@click.option("--profile", type=click.Choice(["quick", "full"]), default="quick", show_default=True)
@click.option("--backend", type=click.Choice(["tensorflow", "jax", "torch"]), envvar="KERAS_BACKEND",
              default="tensorflow", show_default=True, help="Keras backend; KERAS_BACKEND sets it too.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Notebooks at a time.")
@click.option("--resume", is_flag=True, help="Skip notebooks whose unchanged code has already passed.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to write (default: build/run).")
@click.option("--timeout", type=click.IntRange(1), help="Seconds a cell may take (quick: 600, full: no limit).")
def run(numbers, profile, backend, jobs, resume, out, timeout) -> None:
    """Run notebooks and report; without NUMBERS all of them.

    Goes on after a failure. The executed copies, report.json and report.html lie in --out. Exit code 1 when
    anything failed, 130 after Ctrl-C; what had finished is kept, and --resume goes on from there.
    """
    from helpers.course import report, runner
    from helpers.course.notebook import root, select

    runner.check_backend(backend)
    if timeout is None and profile == "quick":
        timeout = runner.QUICK_CELL_TIMEOUT
    plan = runner.Plan(select(numbers), (out or root() / "build" / "run").resolve(), profile, backend, jobs, timeout)
    console, began = _console(), time.monotonic()
    before = runner.known(runner.read_report(plan.out))
    chosen, kept = plan.notebooks, {}
    if resume:
        kept = {nb.number: before[nb.number] for nb in chosen if runner.is_done(before.get(nb.number), nb, plan)}
        plan.notebooks = [nb for nb in chosen if nb.number not in kept]
        if kept:
            console.print(f"already passed: {', '.join(kept)}", soft_wrap=True)
    results = kept
    try:
        results = _run(plan, console, before, kept)
    finally:
        results = {**kept, **runner.known(runner.read_report(plan.out))} if results is kept else results
        chosen_results = {nb.number: results[nb.number] for nb in chosen if nb.number in results}
        summary = runner.write_report(plan, chosen_results, before, time.monotonic() - began)
        page = report.write_html(summary, plan.out)
    for result in summary["results"]:
        if result["number"] not in kept and (card := runner.write_card(result)):
            console.print(f"card: {report.short(card)}", soft_wrap=True)
    console.print(report.table(summary))
    report.print_end(console, summary, page)
    if any(result["status"] != "ok" for result in summary["results"]):
        raise SystemExit(1)


@course.command()
@click.argument("numbers", nargs=-1)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Notebooks at a time.")
def refresh(numbers, jobs) -> None:
    """Run notebooks at the quick profile and store outputs and stamp in place; without NUMBERS all of them.

    A file is replaced only when the whole notebook has passed on real data, on the default backend.
    """
    from helpers.course import report, runner
    from helpers.course.notebook import Notebook, root, select, write_atomically

    backend = os.environ.get("KERAS_BACKEND") or runner.DEFAULT_BACKEND
    if backend != runner.DEFAULT_BACKEND:
        raise CourseError(f"Stamps are made on {runner.DEFAULT_BACKEND} only; KERAS_BACKEND is {backend!r}: unset it.")
    runner.check_backend(backend)
    plan = runner.Plan(select(numbers), root() / "build" / "refresh", jobs=jobs, timeout=runner.QUICK_CELL_TIMEOUT)
    console = _console()
    results, refused = _run(plan, console, {}, {}, report=False), []
    for notebook in plan.notebooks:
        result = results[notebook.number]
        if result["status"] != "ok":
            continue
        why = runner.why_not_stamped(result)
        if not why and Notebook.read(notebook.path).raw != notebook.raw:
            why = "not stamped: the file was changed while it ran; refresh it again"
        if why:
            refused.append(f"{notebook.label} {why}.")
        else:
            write_atomically(notebook.path, runner.stamped(notebook, result))
            console.print(f"stamped  {report.short(notebook.path)}", soft_wrap=True)
    for message in refused:
        click.secho(message, fg="red", err=True)
    failed = report.print_errors(console, results.values())
    if failed or refused:
        raise SystemExit(1)


def main() -> None:
    """Entry point: every ending is one clear line and an exit code, never a traceback."""
    try:
        code = course.main(standalone_mode=False) or 0
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        where = getattr(getattr(error, "ctx", None), "command_path", "course")
        click.secho(f"{error.format_message()} See `{where} --help`.", fg="red", err=True)
        code = error.exit_code
    except click.exceptions.Exit as error:
        code = error.exit_code
    except CourseError as error:
        click.secho(str(error), fg="red", err=True)
        code = 1
    except BrokenPipeError:  # `course list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        click.secho("Stopped.", fg="red", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)
