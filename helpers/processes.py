"""Programs in processes of their own: what they are given, how long they may take, and their certain end."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Sequence

from helpers.errors import CourseError


def environment() -> dict[str, str]:
    """What a child process needs of ours, and nothing else: where programs are, and one thread for linear algebra."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return kept | {"OPENBLAS_NUM_THREADS": "1"}


def cells(mark: str) -> str:
    """The source of the notebook's cells, as far as they have run, that begin with `mark`, one below the other."""
    from IPython import get_ipython

    return "\n\n".join(cell for cell in get_ipython().user_ns["In"] if cell.startswith(mark))


def kill_at_first_line(command: Sequence) -> int:
    """Start a program, wait for its first line, and end it with a signal that it cannot catch; its exit status."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment(), **pipes) as child:
        child.stdout.readline()
        child.kill()
        return child.wait()


class Child:
    """A program that is spoken to line by line, in a group of processes of its own.

    Neither side can make the other wait: what is said goes out from a thread, since a pipe holds only so much, and what
    comes back is collected by another. `close` ends the program and all that it has started in its group.
    """

    def __init__(self, command: Sequence) -> None:
        """Start it."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "bufsize": 0}
        self._process = subprocess.Popen(command, env=environment(), start_new_session=True, **pipes)
        self._heard: queue.Queue[bytes] = queue.Queue(maxsize=100)  # who says more than that has to wait
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for line in iter(lambda: self._process.stdout.readline(10_000), b""):
            self._heard.put(line)
        self._heard.put(b"")

    def say(self, line: str) -> None:
        """Send a line; returns at once, whether the program reads or not."""
        threading.Thread(target=self._send, args=(line.encode() + b"\n",), daemon=True).start()

    def _send(self, line: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):  # it has ended
            self._process.stdin.write(line)

    def hear(self, seconds: float) -> str:
        """The next line of its output. Closes, and raises CourseError, where none comes in `seconds`."""
        with contextlib.suppress(queue.Empty, UnicodeDecodeError):
            if line := self._heard.get(timeout=max(0.0, seconds)):
                return line.decode()
        self.close()
        raise CourseError("The program has ended, or did not answer in time.")

    def close(self) -> None:
        """End the program and its group."""
        with contextlib.suppress(AttributeError, ProcessLookupError, PermissionError):  # no groups on Windows
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def gone(self, seconds: float = 5.0) -> bool:
        """Whether no process is left that could write to us, after waiting for at most `seconds`."""
        self._listener.join(seconds)
        return not self._listener.is_alive()
