"""Starts a program that may read what it is told, write into its own folders, and neither reach the network nor others.

`python confine.py ORDER PROGRAM …`, with the order as JSON: folders to `read` and to `write`, the whole `env`, and the
most `bytes` a file may hold. It rests on Landlock, which Linux offers to every user: see landlock(7).
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

NEEDED = 3  # the first version that guards truncation, Linux 6.2
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE, _READ, _LIST, _TRUNCATE, _IOCTL = (1 << bit for bit in (0, 1, 2, 3, 14, 15))
_SEEING = _EXECUTE | _READ | _LIST
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL  # the only rights that a rule on a file may give


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def version() -> int:
    """The version of Landlock that this kernel offers; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, ctypes.CDLL(None, use_errno=True).syscall(_CREATE, None, ctypes.c_size_t(0), 1))


def _call(number: int, *arguments) -> int:
    result = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def restrict(read: list[str], write: list[str]) -> None:
    """Bind this process, and all that it will start, to these files and folders; those that are missing are left out.

    From Linux 6.7 on no TCP, from 6.12 on no signal to a process outside. Raises OSError where the system refuses.
    """
    offered = version()
    everything = (1 << (13 + sum(offered >= n for n in (2, 3, 5)))) - 1
    size = 8 * (1 + (offered >= 4) + (offered >= 6))
    ruleset = _Ruleset(everything, 0b11 if offered >= 4 else 0, 0b11 if offered >= 6 else 0)
    rules = _call(_CREATE, ctypes.byref(ruleset), ctypes.c_size_t(size), 0)
    for paths, rights in ((read, _SEEING), (write, everything)):
        for path in filter(os.path.exists, paths):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            allowed = rights if os.path.isdir(path) else rights & _OF_FILES & everything
            _call(_ADD, rules, 1, ctypes.byref(_Beneath(allowed, place)), 0)
            os.close(place)
    ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, which Landlock asks for
    _call(_RESTRICT, rules, 0)
    os.close(rules)


def main() -> None:
    """Follow the order, then become the program."""
    import resource

    order = json.loads(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["bytes"], order["bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    restrict(order["read"], order["write"])
    os.execve(sys.argv[2], sys.argv[2:], order["env"])


if __name__ == "__main__":
    main()
