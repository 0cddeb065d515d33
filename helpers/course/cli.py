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


def _run(plan, console, results: dict[str, dict], before: dict[str, dict] | None = None) -> None:
    """Execute a plan under a progress display, filling `results`; with `before`, keep the report up to date."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from helpers.course import runner
    from helpers.course.report import line

    began = time.monotonic()
    display = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cells"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
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
        if before is not None:
            runner.write_report(plan, results, before, time.monotonic() - began)

    with display:
        runner.execute(plan, tell, done)


def _side_by_side(tasks, do, done, jobs: int) -> None:
    from helpers.course import proofs

    try:
        proofs.side_by_side(tasks, do, done, jobs)
    except KeyboardInterrupt:
        raise click.Abort("Stopped. What had passed is kept; the same command goes on from there.") from None


class _Jobs(click.ParamType):
    name = "N|auto"

    def convert(self, value, param, ctx):
        """`auto`, or a number from 1."""
        return value if value == "auto" else click.IntRange(1).convert(value, param, ctx)


def _announce(console, notebooks, jobs: int) -> None:
    """Say how many run at a time and how long it will take by the stamps, here and for the whole course."""
    from helpers.course import runner
    from helpers.notebooks import parts

    if len(notebooks) < 2 or not any(nb.stamp for nb in notebooks):
        return
    minutes, planned = runner.expected_seconds(notebooks, jobs) / 60, sum(part[1] for part in parts().values())
    whole = minutes * planned / len(notebooks)
    console.print(
        f"{len(notebooks)} notebooks, {jobs} at a time, about {minutes:.0f} minutes by their stamps; "
        f"{planned} like them would take {whole:.0f}",
        style="yellow" if whole > 60 else None,
        soft_wrap=True,
    )
    if whole > 60:
        console.print("! That is over an hour: shorten the slowest (`course list`).", style="yellow", markup=False)


@course.command()
@click.argument("numbers", nargs=-1)
@click.option("--profile", type=click.Choice(["quick", "full"]), default="quick", show_default=True)
@click.option(
    "--backend",
    type=click.Choice(["tensorflow", "jax", "torch"]),
    envvar="KERAS_BACKEND",
    default="tensorflow",
    show_default=True,
    help="Keras backend; KERAS_BACKEND sets it too.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=7, show_default=True)
@click.option(
    "--jobs",
    type=_Jobs(),
    default="auto",
    show_default=True,
    help="Notebooks at a time; auto: as many as cores and free memory have room for.",
)
@click.option("--resume", is_flag=True, help="Skip notebooks whose unchanged code has already passed.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to write (default: build/run).")
@click.option("--timeout", type=click.IntRange(1), help="Seconds a cell may take (quick: 600, full: no limit).")
def run(numbers, profile, backend, seed, jobs, resume, out, timeout) -> None:
    """Run notebooks and report; without NUMBERS all of them.

    Goes on after a failure. The executed copies, report.json and report.html lie in --out. Exit code 1 when
    anything failed, 130 after Ctrl-C; what had finished is kept, and --resume goes on from there.
    """
    from helpers.course import folder, runner
    from helpers.notebooks import root, select

    runner.check_backend(backend)
    if timeout is None and profile == "quick":
        timeout = runner.QUICK_CELL_TIMEOUT
    out = (out or root() / "build" / "run").resolve()
    plan = runner.Plan(select(numbers), out, profile, backend, timeout=timeout, seed=seed)
    with folder.hold(plan.out, plan.notebooks):
        summary = _run_and_report(plan, jobs, resume)
    if any(result["status"] != "ok" for result in summary["results"]):
        raise SystemExit(1)


def _run_and_report(plan, jobs: int | str, resume: bool) -> dict:
    """Run a plan in a folder that is ours; returns the report."""
    from helpers.course import report, runner

    console, began = _console(), time.monotonic()
    last = runner.read_report(plan.out)
    before = runner.known(last)
    if odd := sum(not runner.is_result(result) for result in last.get("results", [])):
        console.print(f"{odd} results in report.json cannot be read and are left out", soft_wrap=True)
    chosen, kept = plan.notebooks, {}
    if resume:
        kept = {nb.number: before[nb.number] for nb in chosen if runner.is_done(before.get(nb.number), nb, plan)}
        plan.notebooks = [nb for nb in chosen if nb.number not in kept]
        if kept:
            console.print(f"already passed: {', '.join(kept)}", soft_wrap=True)
    plan.jobs = runner.jobs_for(plan.notebooks, jobs)
    if plan.profile == "quick":
        _announce(console, plan.notebooks, plan.jobs)
    results = dict(kept)
    try:
        _run(plan, console, results, before)
    except KeyboardInterrupt:
        raise click.Abort("Stopped. What had finished is kept; go on with: course run --resume") from None
    finally:
        summary = runner.write_report(plan, results, before, time.monotonic() - began)
        page = report.write_html(summary, plan.out)
    for result in summary["results"]:
        if result["number"] not in kept and (card := runner.write_card(result)):
            console.print(f"card: {report.short(card)}", soft_wrap=True)
    console.print(report.table(summary))
    for result in summary["results"]:
        for note in result["notes"]:
            console.print(f"! {result['notebook']}: {note}", style="yellow", markup=False, soft_wrap=True)
    report.print_end(console, summary, page)
    return summary


@course.command()
@click.argument("numbers", nargs=-1)
@click.option("--jobs", type=_Jobs(), default=1, show_default=True, help="Notebooks at a time, or auto.")
@click.option("--tag-varying", is_flag=True, help="Run again as another processor computes; tag what differs.")
def refresh(numbers, jobs, tag_varying) -> None:
    """Run notebooks at the quick profile and store outputs and stamp in place; without NUMBERS all of them.

    A file is replaced only when the whole notebook has passed on real data, on the default backend. With --tag-varying
    each is then run once more with other arithmetic kernels and one thread, and the cells whose outputs differ get the
    tag `nbval-ignore-output`, so that they are not compared on another machine. A claim that differs is an error.
    """
    from helpers.course import folder, report, runner
    from helpers.notebooks import root, select

    backend = os.environ.get("KERAS_BACKEND") or runner.DEFAULT_BACKEND
    if backend != runner.DEFAULT_BACKEND:
        raise CourseError(f"Stamps are made on {runner.DEFAULT_BACKEND} only; KERAS_BACKEND is {backend!r}: unset it.")
    runner.check_backend(backend)
    out = root() / "build" / "refresh"
    plan = runner.Plan(select(numbers), out, timeout=runner.QUICK_CELL_TIMEOUT, stamping=True)
    plan.jobs = runner.jobs_for(plan.notebooks, jobs)
    console, results = _console(), {}
    with folder.hold(plan.out, plan.notebooks):
        _run(plan, console, results)
        refused = _stamp(plan.notebooks, results, console)
        if tag_varying:
            refused += _tag_varying(
                [nb for nb in plan.notebooks if results[nb.number]["status"] == "ok"], plan, console
            )
    for message in refused:
        click.secho(message, fg="red", err=True)
    failed = report.print_errors(console, results.values())
    if failed or refused:
        raise SystemExit(1)


def _stamp(notebooks, results: dict[str, dict], console) -> list[str]:
    """Store outputs and stamps of what has passed; returns why others were not stored."""
    from helpers.course import report, runner
    from helpers.notebooks import Notebook, write_atomically

    refused = []
    for notebook in notebooks:
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
    return refused


def _tag_varying(notebooks, plan, console) -> list[str]:
    """Tag the cells whose outputs another processor may change; returns what must not differ and does."""
    from helpers.course import playback, report, runner
    from helpers.notebooks import Notebook, dumps, tags, write_atomically

    notebooks, refused, results = [Notebook.read(notebook.path) for notebook in notebooks], [], {}
    other = runner.Plan(notebooks, plan.out / "other", jobs=plan.jobs, timeout=plan.timeout, env=runner.OTHER_PROCESSOR)
    _run(other, console, results, {})
    failed = {number for number, result in results.items() if result["status"] != "ok"}
    refused += [f"{number} fails on another processor: {results[number]['error']['cause']}" for number in failed]
    notebooks = [notebook for notebook in notebooks if notebook.number not in failed]
    for notebook, places in playback.differing(notebooks, other.out):
        code = [cell for cell in notebook.cells if cell["cell_type"] == "code"]
        for cell in (code[place] for place in places):
            if "claims" in tags(cell):
                refused.append(f"{notebook.label}: a claims cell prints something else on another processor.")
            else:
                cell["metadata"]["tags"] = [*tags(cell), "nbval-ignore-output"]
        write_atomically(notebook.path, dumps(notebook.raw))
        console.print(f"tagged  {report.short(notebook.path)}: {len(places)} cells", soft_wrap=True)
    return refused


@course.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(as_json) -> None:
    """Show the notebooks: time, data, and how each last went."""
    import json

    from rich.markup import escape
    from rich.table import Table

    from helpers.course import report, runner
    from helpers.notebooks import root, select

    last, rows = runner.known(runner.read_report(root() / "build" / "run")), []
    for nb in select():
        made = nb.stamp.get("code_sha256"), nb.stamp.get("outputs_sha256")
        stamp = nb.stamp and {"date": nb.stamp.get("date"), "fresh": made == (nb.code_sha256, nb.outputs_sha256)}
        kept = ("status", "date", "profile", "backend", "seconds")
        rows.append(
            {
                "number": nb.number,
                "title": nb.title,
                "part": nb.part,
                "file": nb.path.name,
                "time": nb.time,
                "needs": nb.needs,
                "data": nb.data,
                "stamp": stamp,
                "run": {key: value for key, value in last.get(nb.number, {}).items() if key in kept},
            }
        )
    if as_json:
        return click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    console = _console()
    for part in dict.fromkeys(row["part"] for row in rows):
        members = [row for row in rows if row["part"] == part]
        console.print(f"\n[bold]{members[0]['number'][0]} · {part}[/]")
        grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0), expand=True)  # the same widths in every part
        for ratio in (5, 5, 3, 5):
            grid.add_column(ratio=ratio, overflow="fold")
        for row in members:
            stamp, run = row["stamp"], row["run"]
            state = f"{run['status']} {run['date']} ({run['profile']})" if run else "not run here"
            state += "" if stamp and stamp["fresh"] else "; stamp stale" if stamp else "; no stamp"
            cells = (f"{row['number']} {row['title']}", row["time"], ", ".join(row["data"]), state)
            grid.add_row(*(escape(report.plain(cell)) for cell in cells))
        console.print(grid)


@course.command()
@click.argument("numbers", nargs=-1)
def check(numbers) -> None:
    """Check anatomy, stamps, badges, alt text, stored outputs and links; exit code 1 on any error."""
    from helpers.course import hygiene, report
    from helpers.notebooks import select

    notebooks = select(numbers)
    found = hygiene.check(notebooks, everything=not numbers)
    for finding in found:
        click.secho(report.plain(finding), fg="red" if finding.error else "yellow")
    errors = sum(finding.error for finding in found)
    click.secho(
        f"{errors} errors, {len(found) - errors} warnings in {len(notebooks)} notebooks",
        fg="red" if errors else "green",
    )
    if errors:
        raise SystemExit(1)


@course.command()
@click.option("--repository", metavar="OWNER/NAME", help="The public address; default: that of the clone's own remote.")
@click.option("--branch", help="The branch that the badges open.")
@click.option("--check", "check_only", is_flag=True, help="Change nothing; exit code 1 when something differs.")
@click.option("--expect", metavar="OWNER/NAME", help="With --check: the address that must be set.")
def badges(repository, branch, check_only, expect) -> None:
    """Write what nobody types by hand: badges, set-up cells, the README's map and times. Stamps stay valid."""
    from helpers.course import badges, report, translate
    from helpers.notebooks import root, settings

    if expect is not None and (found := settings()["repository"]) != expect:
        raise CourseError(
            f"pyproject.toml names {found or 'no repository'}, this is {expect}: "
            f"`course badges --repository {expect}` writes it."
        )
    if check_only and (repository or branch):
        raise click.UsageError("--check compares with pyproject.toml; leave out --repository and --branch.")
    if not check_only:
        address = repository if repository is not None else badges.own_address()
        commit = "" if (address or settings()["repository"]) == "" else badges.own_commit()
        badges.set_address(address, branch, commit)
    changed = badges.renew(write=not check_only)
    if not check_only and translate.renew_readme():
        changed.append(root() / "README.zh.md")
    for path in changed:
        click.echo(f"{'differs' if check_only else 'rewrote'} {report.short(path)}")
    if not changed:
        click.echo("Badges, set-up cells and README agree with pyproject.toml and the notebooks.")
    elif check_only:
        raise CourseError(f"{len(changed)} files are not as `course badges` would write them: type `course badges`.")
    if check_only and (problem := badges.pin_problem()):
        raise CourseError(f"{problem[0].upper()}{problem[1:]}: type `course badges`, commit and push.")


@course.command()
def site() -> None:
    """Make the site in build/site from stored outputs; dead links fail. `make site` sets up what it needs first."""
    from helpers.course import report, site
    from helpers.notebooks import root

    click.echo(f"The site is made: open {report.short(site.build(root() / 'build/site'))}")


@course.group()
def data() -> None:
    """List, fetch and verify the data sets."""


@data.command("list")
def data_list() -> None:
    """Show every data set of the catalogue and whether it is at hand."""
    from rich.table import Table

    from helpers import datasets

    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name, side in (("Name", "left"), ("MB", "right"), ("Rows", "right"), ("Here", "left"), ("Licence", "left")):
        grid.add_column(name, justify=side, overflow="fold")
    for name in datasets.names():
        entry, state = datasets.info(name), set(datasets.verify(name).values())
        here = "corrupt" if "corrupt" in state else "yes" if state == {"ok"} else "partly" if "ok" in state else "–"
        grid.add_row(name, f"{entry.bytes / 1e6:.1f}", f"{entry.rows:,}" if entry.rows else "–", here, entry.licence)
    _console().print(grid)
    click.echo(f"Cache: {datasets.cache_dir()}. Fetched from: {datasets.source()}.")


def _known(names: tuple[str, ...]) -> list[str]:
    from helpers import datasets

    return [datasets.info(name) and name for name in names]  # info raises for an unknown one, with the close names


@data.command("fetch")
@click.argument("names", nargs=-1)
def data_fetch(names) -> None:
    """Fetch and verify data sets; without NAMES all that the finished notebooks use."""
    from helpers import datasets
    from helpers.course.doctor import wanted

    failed = []
    for name in _known(names) or wanted():
        try:
            files = datasets.fetch(name)
            click.echo(f"✓ {name}: {len(files)} file{'s' * (len(files) != 1)}")
        except CourseError as error:
            failed.append(name)
            click.secho(f"✗ {name}: {error}", fg="red", err=True)
    if failed:
        raise CourseError(f"Not fetched: {', '.join(failed)}.")


@data.command("verify")
@click.argument("names", nargs=-1)
def data_verify(names) -> None:
    """Compare cached files with their SHA-256; without NAMES all that are in the cache.

    `load` fetches only the files its table needs, so a file that is not here is no fault unless its set was named.
    """
    from helpers import datasets

    states = {name: datasets.verify(name) for name in _known(names) or datasets.names()}
    wrong = []
    for name, files in states.items():
        if not names and set(files.values()) == {"missing"}:
            continue
        faults = {"corrupt", "missing"} if names else {"corrupt"}
        bad = {file: state for file, state in files.items() if state in faults}
        wrong += [name] * bool(bad)
        absent = sum(state == "missing" for state in files.values())
        detail = "; ".join(f"{file} {state}" for file, state in bad.items())
        here = f" ({absent} of {len(files)} files not fetched)" if absent else ""
        click.secho(f"✗ {name}: {detail}" if bad else f"✓ {name}{here}", fg="red" if bad else None)
    if wrong:
        raise CourseError(f"Mend with: course data fetch {' '.join(wrong)}")
    if all(set(files.values()) == {"missing"} for files in states.values()):
        click.echo("Nothing in the cache yet: course data fetch")


@course.command()
def doctor() -> None:
    """Look at Python, packages, backend, GPU, disk, memory and data; say what to do."""
    from helpers.course import doctor

    bad = 0
    for mark, what, remedy in doctor.lines():
        bad += mark == doctor.BAD
        colour = {doctor.OK: "green", doctor.BAD: "red"}.get(mark, "yellow")
        click.echo(click.style(mark, fg=colour) + f" {what}" + (f"  →  {remedy}" if remedy else ""))
    if bad:
        raise CourseError(f"{bad} thing{'s' * (bad > 1)} to mend first: follow the arrows above.")
    click.secho("Ready: course run", fg="green")


@course.command()
@click.argument("numbers", nargs=-1)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to (default: my_notebooks).")
def student(numbers, out) -> None:
    """Write the reader's copies: no solutions, no outputs. A copy into which somebody has typed stays as it is."""
    from helpers.course import report, student
    from helpers.notebooks import select

    folder = student.folder(out)
    for notebook in select(numbers):
        path, written = student.write(notebook, folder)
        if written:
            click.echo(f"wrote {report.short(path)}")
        else:
            click.secho(
                f"kept  {report.short(path)}: it holds somebody's work; rename it to get a new copy", fg="yellow"
            )


@course.command()
@click.argument("numbers", nargs=-1)
def slides(numbers) -> None:
    """Write notebooks as slides (reveal.js) into build/slides, from their stored outputs; they need no network."""
    from helpers.course import report, slides
    from helpers.notebooks import root, select

    out, notebooks = root() / "build" / "slides", select(numbers)
    slides.assets(out)
    for notebook in notebooks:
        click.echo(f"wrote {report.short(slides.write(notebook, out))}")


@course.command()
@click.argument("names", nargs=-1)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where to (default: build/zh).")
def translate(names, out) -> None:
    """Bring the Chinese catalogues up to date, and write the Chinese notebooks and README.zh.md.

    NAMES are numbers of notebooks, README, or course (the words that all share); without them, all that are begun. A
    name whose catalogue translations/zh/NAME.po is not there yet begins it. No text of a translator is ever lost.
    """
    from helpers.course import report, translate
    from helpers.notebooks import root, select

    if not translate.available():
        raise CourseError("The catalogues need Babel, which JupyterLab brings. Type: python -m pip install -e '.[lab]'")
    shared = {translate.README, translate.SHARED}
    wanted = [name for name in names if name not in shared]
    chosen = [name for name in names if name in shared]
    chosen += [notebook.number for notebook in select(wanted)] if wanted else []
    every, done = translate.sources(), translate.refresh(chosen)
    for name in done:
        good, why = translate.state(name, every[name][1])
        click.echo(f"{100 * good // max(1, len(every[name][1])):>3} %  {report.short(translate.place(name))}")
        for line in why:
            click.secho(f"       {line}", fg="yellow")
    if translate.renew_readme():
        click.echo("wrote README.zh.md")
    notebooks = [notebook for notebook in select() if notebook.number in done]
    for path, written in translate.write(notebooks, (out or root() / "build" / "zh").resolve()):
        if written:
            click.echo(f"wrote {report.short(path)}")
        else:
            click.secho(
                f"kept  {report.short(path)}: it holds somebody's work; rename it to get a new one", fg="yellow"
            )
    if absent := [name for name in every if name not in done and not translate.place(name).exists()]:
        click.echo(f"Not begun: {' '.join(absent)}")


@course.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where the tables go.")
@click.option("--jobs", type=_Jobs(), default="auto", show_default=True, help="Copies at a time.")
@click.option(
    "--timeout", type=click.IntRange(1), metavar="S", help="Seconds a cell (default: 3 x the notebook's time)."
)
@click.option(
    "--memory", type=click.IntRange(500), default=4000, show_default=True, metavar="MB", help="A copy's most."
)
@click.option("--backend", default="tensorflow", show_default=True, help="Keras backend.")
@click.option("--unconfined", is_flag=True, help="Run the copies with all your rights; for a virtual machine.")
def grade(folder, out, jobs, timeout, memory, backend, unconfined) -> None:
    """Mark the copies in FOLDER that `course student` made and readers filled in.

    Only their answers are taken; each copy runs by itself in our notebook, confined to a folder of its own, without a
    network, with limits of time and memory. The tables (CSV, HTML) get a name that nothing has yet.
    """
    from helpers.course import grade, report, runner
    from helpers.notebooks import select

    runner.check_backend(backend)
    limits = {"timeout": timeout, "memory_mb": memory, "backend": backend, "confined": not unconfined}
    console, marked = _console(), []
    found = len(grade.copies(folder))
    jobs = runner.jobs_for([nb for nb in select() if grade.exercises(nb)], jobs)
    console.print(f"{found} copies, {jobs} at a time")

    def done(one) -> None:
        marked.append(one)
        said = one.problem or f"{sum(one.passed)}/{len(one.passed)}  " + " | ".join(filter(None, one.notes))
        console.print(f"{len(marked):>3}  {report.marked(one.copy)}  {report.marked(said)}", soft_wrap=True)

    try:
        grade.grade(folder, limits, jobs, done)
    finally:
        if marked:
            for path in grade.write(sorted(marked, key=lambda one: one.copy), out):
                console.print(f"wrote {report.marked(report.short(path))}")
    if any(one.problem for one in marked):
        raise CourseError(f"{sum(bool(one.problem) for one in marked)} copies could not be marked: see the table.")


@course.command()
@click.argument("numbers", nargs=-1)
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind; may be given several times.")
@click.option("--budget", type=click.FloatRange(0), metavar="MIN", help="As many as fit into so many minutes.")
@click.option("--jobs", type=_Jobs(), default="auto", show_default=True, help="Notebooks at a time.")
@click.option("--owed", is_flag=True, help="Run nothing; show what is owed.")
@click.option("--list", "listed", is_flag=True, help="Run nothing; show every proof and its date.")
def proof(numbers, kinds, budget, jobs, owed, listed) -> None:
    """Prove again what has changed: wrong worlds, stand-ins, another seed, other backends, Colab, browser.

    What has passed stands in results/proofs.json until code, helpers, data or lock change. Each proof is written as
    soon as it has passed: after Ctrl-C the same command goes on. Exit code 1 when one fails.
    """
    from helpers.course import proofs, runner
    from helpers.notebooks import select

    if unknown := set(kinds) - set(proofs.KINDS):
        raise click.UsageError(f"There is no kind {sorted(unknown)[0]!r}; there are {', '.join(proofs.KINDS)}.")
    notebooks = select(numbers)
    every = proofs.everything(notebooks, kinds)
    todo = [one for one in every if not one.stands]
    jobs = runner.jobs_for([one.notebook for one in todo], jobs)
    if listed or owed:
        for one in every if listed else todo:
            day = one.date[:10]
            state = f"proven {day}" if one.stands else f"owed; last {day}" if day else "owed"
            click.echo(f"{one.title:<13} {state}, about {one.seconds:.0f} s")
        return
    chosen = todo if budget is None else proofs.affordable(todo, budget, jobs)
    spent = sum(one.seconds for one in chosen) / min(jobs, max(1, len(chosen)))
    click.echo(
        f"{len(todo)} of {len(every)} proofs owed; {len(chosen)} to do, about {spent / 60:.0f} min at {jobs} a time"
    )
    failed, left = [], [one.seconds for one in chosen]

    def done(outcome) -> None:
        one = outcome.proof
        left.remove(one.seconds)
        if outcome.unavailable:
            click.secho(f"– {one.title}: not proven, {outcome.unavailable}", fg="yellow")
            return
        if outcome.faults:
            failed.append(one)
            click.secho(f"✗ {one.notebook.path.name} {proofs.KINDS[one.kind]}:", fg="red")
            for fault in outcome.faults:
                click.secho(f"  {fault}", fg="red")
            return
        note = "" if proofs.keep(outcome) else "; changed meanwhile, so still owed"
        note += f"; {len(left)} left, about {sum(left) / jobs / 60:.0f} min" if left else ""
        click.echo(f"✓ {one.title}: {outcome.seen} ({outcome.seconds:.0f} s{note})")

    _side_by_side(chosen, proofs.prove, done, jobs)
    bare = [notebook.number for notebook in notebooks if not proofs.controls_of(notebook)]
    if bare and (not kinds or "controls" in kinds):
        click.echo(f"No wrong world yet (metadata.course.controls): {' '.join(bare)}")
    still = [one for one in proofs.everything(notebooks, kinds) if not one.stands]
    click.echo(f"Owed: {len(still)}" if still else "Nothing is owed.")
    for kind in dict.fromkeys(one.kind for one in still):
        click.echo(f"  {kind:<9} {' '.join(sorted(one.notebook.number for one in still if one.kind == kind))}")
    if failed:
        raise CourseError(f"{len(failed)} of {len(chosen)} proofs failed: {', '.join(one.title for one in failed)}.")


@course.command()
@click.argument("numbers", nargs=-1, required=True)
@click.option("--seeds", "many", type=click.IntRange(1), default=20, show_default=True, help="Runs of each notebook.")
@click.option("--profile", type=click.Choice(["quick", "full"]), default="quick", show_default=True)
@click.option("--jobs", type=_Jobs(), default="auto", show_default=True, help="Notebooks at a time.")
def seeds(numbers, many, profile, jobs) -> None:
    """Run notebooks under seeds that nobody tuned to, and count in how many each claim holds.

    Exit code 1 when a claim holds in fewer than 19 of 20. Counts stand in results/seeds.json until code, helpers, data
    or lock change; after Ctrl-C the same command goes on.
    """
    from helpers.course import proofs, runner, seeds
    from helpers.notebooks import select

    notebooks = select(numbers)
    todo = []
    for notebook in notebooks:
        had = seeds.entry(notebook, profile)["runs"]
        todo += [(notebook, seed) for seed in seeds.seeds(many) if str(seed) not in had]
    jobs = runner.jobs_for([notebook for notebook, _ in todo], jobs)
    spent = sum(runner.seconds_of(notebook) for notebook, _ in todo) / jobs / 60
    click.echo(f"{len(todo)} runs to do" + (f", about {spent:.0f} min at {jobs} a time" if profile == "quick" else ""))
    lost, left = 0, len(todo)

    def done(ran) -> None:
        nonlocal left, lost
        (notebook, seed), result = ran
        left -= 1
        why = seeds.keep(notebook, profile, seed, result) or "; ".join(proofs.stopped(result))
        lost += bool(why)
        failed = result["claims"]["failed"]
        what = why or (f"{failed} claims fail" if failed else "every claim holds")
        click.secho(
            f"{notebook.number} seed {seed}: {what} ({result['seconds']:.0f} s; {left} left)",
            fg="red" * bool(why) or None,
        )

    _side_by_side(todo, lambda task: (task, seeds.run(task[0], profile, task[1])), done, jobs)
    bad = 0
    for notebook in notebooks:
        record = seeds.entry(notebook, profile)
        click.echo(f"\n{notebook.label}: {len(record['runs'])} seeds")
        for text, held, of, good in seeds.count(record):
            bad += not good
            seen = f"{held:>3} of {of}" if of else "unchecked"
            click.secho(f"{'✓' if good else '✗'} {seen}  {text}", fg=None if good else "red")
    if bad or lost:
        raise CourseError(f"{bad} claims hold in fewer than 19 of 20 seeds; {lost} runs came to no end.")


def _unexpected(error: Exception) -> int:
    """One line for a fault of the course's own, and the traceback where it can be read."""
    import traceback

    from helpers.notebooks import root

    try:
        path = root() / "build" / "course.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        where = f"the traceback is in {path}"
    except OSError:
        where = "`course --debug …` shows the traceback"
    message = (str(error).strip().splitlines() or [""])[0]
    click.secho(f"Unexpected {type(error).__name__}: {message} ({where})", fg="red", err=True)
    return 1


def main() -> None:
    """Entry point: every ending is one clear line and an exit code, never a traceback."""
    try:
        code = course.main(standalone_mode=False) or 0
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
    except (KeyboardInterrupt, click.exceptions.Abort) as stop:
        click.secho(str(stop) or "Stopped.", fg="red", err=True)
        code = 130
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        code = _unexpected(error)
    sys.exit(code if isinstance(code, int) else 0)
