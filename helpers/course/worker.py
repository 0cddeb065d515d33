"""Runs one notebook in a process of its own: `python -m helpers.course.worker`, told by the runner what and how.

The order arrives as one JSON line on standard input; events leave as JSON lines on standard output. When standard
input closes, the runner is gone or wants to stop: the kernel is killed, with all that it started, and the worker ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from helpers.course.folder import sign
from helpers.notebooks import tags

MOST_TEXT = 10_000_000  # characters that a notebook may print; what follows is dropped
LEFT = {"name": "Ended early", "message": "the notebook stopped here, so not every cell has run"}
MOST_PROCESSES = 200  # that a confined notebook may have
INJECTED = "injected-parameters"  # papermill's tag for its own cell, and ours for the one cell of an order


class _Client(PapermillNotebookClient):
    """Papermill's client, telling how far it is and when the first output came."""

    report: _Report
    bounds: dict | None = None

    def start_new_kernel(self, **kwargs):
        """Start the clock, and keep hold of the process."""
        self.report.started = time.monotonic()
        if self.bounds:
            _confine(self.km, self.bounds)
        super().start_new_kernel(**kwargs)
        self.report.kernel = self.km.provisioner.process
        if self.bounds:
            threading.Thread(target=_keep_small, args=(self.report, self.bounds["memory_mb"]), daemon=True).start()
        self.on_cell_executed = self._executed

    def _executed(self, cell, cell_index, execute_reply) -> None:
        if any(part.get("source") == "ask_exit" for part in execute_reply["content"].get("payload", [])):
            self.report.left = cell_index

    def process_message(self, msg, cell, cell_index):
        """Note the first thing a reader sees, and how much text there is."""
        if msg["msg_type"] == "stream":
            room, words = MOST_TEXT - self.report.printed, msg["content"]["text"]
            self.report.printed += len(words)
            if len(words) > room:
                if room < 0:
                    return None
                msg["content"]["text"] = words[:room] + f"\n… more than {MOST_TEXT / 1e6:.0f} MB: the rest is dropped\n"
        if self.report.first_output is None and msg["msg_type"] in ("stream", "display_data", "execute_result"):
            self.report.first_output = time.monotonic() - self.report.started
        return super().process_message(msg, cell, cell_index)

    def execute_cell(self, cell, cell_index, **kwargs):
        """Tell the runner how far the notebook is; keep the names that an exercise's check saw."""
        self.report.cell = cell_index
        result = super().execute_cell(cell, cell_index, **kwargs)
        self.report.ran.add(cell_index)
        if "raises-exception" in tags(cell):
            _set_errors_aside(cell)
        if _wrong(cell):
            self._ask(f"keep({self.report.place(cell_index)})", cell)
        self.report.cell_done(cell_index)
        return result

    def papermill_execute_cells(self):
        """Run the cells, and then each exercise's wrong answers, unless the notebook has failed."""
        super().papermill_execute_cells()
        began = time.monotonic()
        if not _unrun(self.nb, self.report):
            for index, cell in enumerate(self.nb.cells):
                if _wrong(cell):
                    self.report.cell = index
                    self._ask(f"prove({self.report.place(index)}, {cell.source!r}, {_wrong(cell)!r})", cell)
        self.report.exercises = time.monotonic() - began

    def _ask(self, call: str, cell) -> None:
        """Have the kernel call a function of helpers.course.exercises, without a trace in names, history or outputs."""
        code = f"__import__('helpers.course.exercises', fromlist=['_']).{call}"
        reply = self.wait_for_reply(self.kc.execute(code, silent=True, store_history=False), cell)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"its exercise could not be proved: {reply['content'].get('evalue', '')}")


def _set_errors_aside(cell) -> None:
    """Move a cell's errors into its metadata: papermill, other than nbclient, ends by raising any that it finds."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    cell.metadata["errors"] = [{"name": output.ename, "message": output.evalue} for output in errors]
    cell.outputs = [output for output in cell.outputs if output.output_type != "error"]


def _confine(manager, bounds: dict) -> None:
    """Have the kernel start within bounds, and be spoken to through sockets in its own folder, not over the network."""
    record = os.environ["COURSE_RECORD"]
    open(record, "ab").close()  # the kernel may write into this file, and not make another beside it
    manager.transport, manager.ip, manager.connection_file = "ipc", bounds["socket"], bounds["socket"] + ".json"
    env = {name: value for name, value in os.environ.items() if name.startswith(tuple(bounds["keep"]))}
    order = {name: bounds[name] for name in ("read", "bytes")}
    order |= {"write": [*bounds["write"], record], "env": env | bounds["env"]}
    program = [sys.executable, str(Path(__file__).with_name("confine.py")), json.dumps(order)]
    manager.kernel_spec.argv = [*program, sys.executable, *manager.kernel_spec.argv[1:]]


def _keep_small(report: _Report, most_mb: int) -> None:
    """Kill the kernel when it and all that it has started hold more memory than this, or are very many."""
    import psutil

    while report.kernel is not None and report.kernel.poll() is None:
        with contextlib.suppress(psutil.Error):
            kernel = psutil.Process(report.kernel.pid)
            family, held = [kernel, *kernel.children(recursive=True)], 0
            for process in family:
                with contextlib.suppress(psutil.Error):
                    held += process.memory_info().rss
            if held > most_mb * 2**20 or len(family) > MOST_PROCESSES:
                much = f"more than {most_mb:,} MB" if len(family) <= MOST_PROCESSES else f"{len(family)} processes"
                report.too_much = f"it took {much} and was ended"
                for process in family:
                    with contextlib.suppress(psutil.Error):
                        process.kill()
        time.sleep(0.1)


def _wrong(cell) -> list[str]:
    """The wrong answers that the check of this cell must reject."""
    return list(cell.metadata.get("course", {}).get("wrong", [])) if "check" in tags(cell) else []


def _unrun(nb, report: _Report) -> int | None:
    """Index of the first code cell that did not run to its end, None where all did."""
    for index, cell in enumerate(nb.cells):
        code = cell.cell_type == "code" and cell.source.strip()
        if code and (index not in report.ran or cell.execution_count is None or index == report.left):
            return index
    return None


class _Report:
    """What the runner wants to know, and the pipe it goes through."""

    def __init__(self, stream) -> None:
        self.stream = stream
        self.started = time.monotonic()
        self.first_output = self.kernel = self.left = None
        self.too_much = ""
        self.cell = self.printed = self.exercises = 0
        self.ran: set[int] = set()
        self.injected: list[int] = []
        self.peak_windows = 0

    def send(self, event: str, **fields: object) -> None:
        self.stream.write(json.dumps({"event": event, **fields}) + "\n")
        self.stream.flush()

    def cell_done(self, index: int) -> None:
        self.send("cell", done=index + 1)
        if os.name == "nt" and self.kernel is not None:
            import psutil

            self.peak_windows = psutil.Process(self.kernel.pid).memory_info().peak_wset

    def peak_mb(self) -> int:
        """Peak memory of the kernel, once it has ended, in MB."""
        if os.name == "nt":
            return round(self.peak_windows / 2**20)
        import resource

        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # KiB on Linux, bytes on macOS
        return round(peak / (2**20 if sys.platform == "darwin" else 2**10))

    def place(self, index: int) -> int:
        """The number of a cell, counted from 1 in the notebook itself, which lacks the injected ones."""
        return index + 1 - sum(other < index for other in self.injected)


class _Engine(NBClientEngine):
    """Papermill's engine with the client above."""

    report: _Report
    source = ""
    bounds: dict | None = None

    @classmethod
    def execute_notebook(cls, nb, kernel_name, **kwargs):
        """Add the cell of the order behind the imports, and sign the copy before it is first written."""
        if cls.source:
            import nbformat

            code = [index for index, cell in enumerate(nb.cells) if cell.cell_type == "code"]
            imports = next((index for index in code if "setup" not in tags(nb.cells[index])), -1)
            nb.cells.insert(imports + 1, nbformat.v4.new_code_cell(cls.source, metadata={"tags": [INJECTED]}))
        sign(nb)
        return super().execute_notebook(nb, kernel_name, **kwargs)

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, execution_timeout=None, **_):
        client = _Client(
            nb_man, kernel_name=kernel_name, timeout=execution_timeout, startup_timeout=120, record_timing=False
        )
        client.report, client.bounds = cls.report, cls.bounds
        cls.report.injected = [index for index, cell in enumerate(nb_man.nb.cells) if INJECTED in tags(cell)]
        cls.report.send("start", cells=len(nb_man.nb.cells))
        save, saved = nb_man.save, 0.0

        def save_now_and_then(**kwargs) -> None:
            nonlocal saved
            if time.monotonic() > saved + 2:  # papermill's twice a cell take a second or two of a run
                save(**kwargs)
                saved = time.monotonic()

        nb_man.save = save_now_and_then
        try:
            return client.execute()
        finally:
            nb_man.save = save


def end_descendants() -> None:
    """Kill every process below this one; on Linux also those whose parents have gone (see `_adopt`)."""
    import psutil

    for _ in range(3):  # a process may start another while we look
        found = psutil.Process().children(recursive=True)
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if not found:
            return
        psutil.wait_procs(found, timeout=2)


def _adopt() -> None:
    """Become the parent of what a dead child leaves behind (PR_SET_CHILD_SUBREAPER), so that it can be found."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _watch(report: _Report) -> None:
    while os.read(0, 4096):
        pass
    if report.kernel is not None:
        report.kernel.kill()
    end_descendants()
    os._exit(3)


def _run(order: dict, report: _Report) -> tuple[str, dict]:
    """Run the notebook; returns its status and its error, if any."""
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        nb = papermill.execute_notebook(
            order["notebook"],
            order["output"],
            order["parameters"],
            engine_name="course",
            kernel_name="python3",
            cwd=order["cwd"],
            progress_bar=False,
            execution_timeout=order["timeout"],
        )
        if (unrun := _unrun(nb, report)) is None:
            return "ok", {}
        report.cell = unrun
        return "failed", dict(LEFT)
    except PapermillExecutionError as failure:
        return "failed", {"name": failure.ename, "message": failure.evalue}
    except CellTimeoutError:
        return "failed", {"name": "Timeout", "message": f"the cell took longer than {order['timeout']} s"}
    except DeadKernelError:
        if report.left is not None:  # it had been told to exit, and did so some cells later
            report.cell = report.left
            return "failed", dict(LEFT)
        if report.too_much:
            return "killed", {"name": "Kernel died", "message": report.too_much}
        signal = -(report.kernel.poll() or 0)
        if signal == 9:
            why = "killed by signal 9; most often the memory ran out: close other programs or use --jobs 1"
        else:
            why = f"killed by signal {signal}" if signal > 0 else f"it exited by itself with code {-signal}"
        return "killed", {"name": "Kernel died", "message": why}
    except Exception as failure:
        return "failed", {"name": type(failure).__name__, "message": str(failure)}


def main() -> None:
    """Run the notebook of the order; always ends with one `end` event unless killed."""
    # Whatever the kernel prints past IPython goes to the log: the event pipe is ours alone.
    report = _Report(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    _adopt()
    order = b""
    while not order.endswith(b"\n"):
        order += os.read(0, 65536) or sys.exit(3)
    order = json.loads(order)
    threading.Thread(target=_watch, args=(report,), daemon=True).start()

    _Engine.report, _Engine.source, _Engine.bounds = report, order["inject"], order.get("confine")
    papermill_engines.register("course", _Engine)
    status, error = _run(order, report)
    if error:
        error["cell"] = report.place(report.cell)
    peak = report.peak_mb()
    end_descendants()
    report.send(
        "end",
        status=status,
        error=error,
        first_output=None if report.first_output is None else round(report.first_output, 2),
        peak_mb=peak,
        exercises=report.exercises,
        printed=report.printed,
    )


if __name__ == "__main__":
    main()
