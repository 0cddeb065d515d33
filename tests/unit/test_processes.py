"""Programs in processes of their own: hanging, deaf, talkative and fertile ones, for real."""

import os
import sys
import time

import pytest

from helpers import processes
from helpers.errors import CourseError

ECHO = "import sys\nfor line in sys.stdin:\n    print(line.strip()[::-1], flush=True)\n"


def child(source: str) -> processes.Child:
    return processes.Child([sys.executable, "-I", "-c", source])


def test_question_and_answer() -> None:
    echo = child(ECHO)
    for word in ("one", "two", "three"):
        echo.say(word)
        assert echo.hear(20) == word[::-1] + "\n"
    echo.close()
    assert echo.gone()
    with pytest.raises(CourseError, match="ended"):
        echo.hear(1)


def test_no_answer_ends_it_in_time() -> None:
    silent, begun = child("import time\ntime.sleep(60)\n"), time.monotonic()
    with pytest.raises(CourseError, match="in time"):
        silent.hear(0.3)
    assert time.monotonic() - begun < 10
    assert silent.gone()


def test_a_program_that_never_reads_does_not_block_us() -> None:
    deaf, begun = child("import time\nprint('ready', flush=True)\ntime.sleep(60)\n"), time.monotonic()
    assert deaf.hear(20) == "ready\n"
    deaf.say("x" * 10_000_000)  # more than any pipe holds
    with pytest.raises(CourseError):
        deaf.hear(0.3)
    assert time.monotonic() - begun < 30
    assert deaf.gone()


def test_its_children_end_with_it() -> None:
    source = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\nchild.wait()\n"
    )
    parent = child(source)
    int(parent.hear(20))
    assert not parent.gone(0.2)
    parent.close()
    assert parent.gone()  # the pipe is closed only when both have ended


def test_a_flood_of_words_does_not_fill_our_memory() -> None:
    flood = child("while True: print('x' * 9999)\n")
    time.sleep(0.5)
    assert flood._heard.qsize() <= 100
    flood.close()


def test_the_environment_is_not_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")
    names = child("import os\nprint(*sorted(os.environ), flush=True)\n")
    seen = names.hear(20).split()
    names.close()
    assert "SECRET" not in seen
    assert "OPENBLAS_NUM_THREADS" in seen


def test_kill_at_first_line() -> None:
    source = "import sys\nprint('now', flush=True)\nsys.stdin.read()\nprint('never')\n"
    status = processes.kill_at_first_line([sys.executable, "-c", source])
    assert status != 0
    assert os.name != "posix" or status == -9
