"""Runs a command and says how long it took and how much memory its largest process held at its peak.

``manycore verify`` starts it as a script: ``python -I -S measured.py RESULT COMMAND...`` writes ``seconds``, ``exit_code``
(negative for a signal) and ``peak_bytes`` as JSON into the file RESULT. It is a process of its own because the kernel's
figure for a child begins with what the process that started it holds; this one imports next to nothing.
"""

import json
import os
import signal
import sys
import time


def end(child: int) -> None:
    """``manycore verify`` was interrupted: the command may clean up for a moment, as after Ctrl-C, and then it is over."""
    for number, patience in ((signal.SIGINT, 1.0), (signal.SIGKILL, 10.0)):
        os.kill(child, number)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if os.waitpid(child, os.WNOHANG)[0]:
                sys.exit(1)
            time.sleep(0.01)
    sys.exit(1)


def measured(command: list[str]) -> dict[str, float]:
    """Both outputs and the input are this process's own."""
    # Ctrl-C reaches the command by itself; this process stays to tell how it ended. What Python ignores the command need not.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    to_default = [signal.SIGPIPE, signal.SIGXFSZ, *([] if before is signal.SIG_IGN else [signal.SIGINT])]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, setsigdef=to_default)
    signal.signal(signal.SIGTERM, lambda *_: end(child))
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "exit_code": os.waitstatus_to_exitcode(status), "peak_bytes": usage.ru_maxrss * 1024}


if __name__ == "__main__":
    found = measured(sys.argv[2:])
    with open(sys.argv[1], "w", encoding="utf-8") as result:
        json.dump(found, result)
