"""Runs one notebook in a process of its own: `python -m helpers.course.worker`, told by the runner what and how.

The order arrives as one JSON line on standard input; events leave as JSON lines on standard output. When standard
input closes, the runner is gone or wants to stop: the kernel is killed and the worker ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines


class _Client(PapermillNotebookClient):
    """Papermill's client, telling how far it is and when the first output came."""

    report: _Report

    def start_new_kernel(self, **kwargs):
        """Start the clock, and keep hold of the process."""
        self.report.started = time.monotonic()
        super().start_new_kernel(**kwargs)
        self.report.kernel = self.km.provisioner.process

    def process_message(self, msg, cell, cell_index):
        """Note the first thing a reader sees."""
        if self.report.first_output is None and msg["msg_type"] in ("stream", "display_data", "execute_result"):
            self.report.first_output = time.monotonic() - self.report.started
        return super().process_message(msg, cell, cell_index)

    def execute_cell(self, cell, cell_index, **kwargs):
        """Tell the runner how far the notebook is."""
        self.report.cell = cell_index
        result = super().execute_cell(cell, cell_index, **kwargs)
        self.report.cell_done(cell_index)
        return result


class _Report:
    """What the runner wants to know, and the pipe it goes through."""

    def __init__(self, stream) -> None:
        self.stream = stream
        self.started = time.monotonic()
        self.first_output = self.kernel = None
        self.cell = 0
        self.injected = sys.maxsize
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


class _Engine(NBClientEngine):
    """Papermill's engine with the client above."""

    report: _Report

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, execution_timeout=None, **_):
        client = _Client(
            nb_man, kernel_name=kernel_name, timeout=execution_timeout, startup_timeout=120, record_timing=False
        )
        client.report = cls.report
        for index, cell in enumerate(nb_man.nb.cells):
            if "injected-parameters" in cell.metadata.get("tags", []):
                cls.report.injected = index
        cls.report.send("start", cells=len(nb_man.nb.cells))
        return client.execute()


def _watch(report: _Report) -> None:
    while os.read(0, 4096):
        pass
    if report.kernel is not None:
        report.kernel.kill()
    os._exit(3)


def main() -> None:
    """Run the notebook of the order; always ends with one `end` event unless killed."""
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    # Whatever the kernel prints past IPython goes to the log: the event pipe is ours alone.
    report = _Report(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    order = b""
    while not order.endswith(b"\n"):
        order += os.read(0, 65536) or sys.exit(3)
    order = json.loads(order)
    threading.Thread(target=_watch, args=(report,), daemon=True).start()

    _Engine.report = report
    papermill_engines.register("course", _Engine)
    status, error = "ok", {}
    try:
        papermill.execute_notebook(
            order["notebook"],
            order["output"],
            order["parameters"],
            engine_name="course",
            kernel_name="python3",
            cwd=order["cwd"],
            progress_bar=False,
            execution_timeout=order["timeout"],
        )
    except PapermillExecutionError as failure:
        status, error = "failed", {"name": failure.ename, "message": failure.evalue}
    except CellTimeoutError:
        status, error = "failed", {"name": "Timeout", "message": f"the cell took longer than {order['timeout']} s"}
    except DeadKernelError:
        status, error = "killed", {"name": "Kernel died", "message": ""}
        signal = -(report.kernel.poll() or 0)
        if signal == 9:
            error["message"] = "killed by signal 9; most often the memory ran out: close other programs or use --jobs 1"
        elif signal > 0:
            error["message"] = f"killed by signal {signal}"
        else:
            error["message"] = f"it exited by itself with code {-signal}"
    except Exception as failure:
        status, error = "failed", {"name": type(failure).__name__, "message": str(failure)}
    if error:  # counted from 1 in the notebook itself, which lacks the injected cell
        error["cell"] = report.cell + (report.cell < report.injected)
    first = None if report.first_output is None else round(report.first_output, 2)
    report.send("end", status=status, error=error, first_output=first, peak_mb=report.peak_mb())


if __name__ == "__main__":
    main()
