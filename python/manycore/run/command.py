"""The command ``manycore``: run, check, verify, info.

>>> main(["verify", "no-such-file.py"])
2
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from manycore import _front
from manycore.run import options

USAGE = """\
usage: manycore run [options] script.py [arguments]     run a program; also -m MODULE and -c CODE, as python takes them
       manycore check [options] script.py [arguments]   run it with watched locks; a report of deadlocks ends the run
       manycore verify [options] script.py [arguments]  run it both ways and compare output, exit code and files
       manycore info                                    hardware, versions and options in force

options of run, check and verify:
{options}
  --include PKG            treat a package of site-packages as the user's code (repeatable)
  --exclude PKG            leave a package outside site-packages alone (repeatable)
options of verify:
  --rtol X, --atol X       how far numbers may differ; default: the script's '# tolerance:' line, else exactly equal
  --repeats N              run each side N times and print medians
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, or does not return when the program ends the process."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    commands: dict[str, Callable[[list[str]], int]] = {"run": _run, "check": _check, "verify": _verify, "info": _info}
    after_command = arguments[1:2] if arguments and arguments[0] in commands else []
    if not arguments or {arguments[0], *after_command} & {"-h", "--help"} or arguments[0] == "help":
        print(usage(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"manycore {_front.__version__}")
        return 0
    try:
        _front.check_environment()
        if arguments[0] not in commands:
            raise options.UsageError(options.unknown("command", arguments[0], list(commands)))
        return commands[arguments[0]](arguments[1:])
    except BrokenPipeError:
        if arguments[0] in ("run", "check"):
            raise
        # Whoever read has enough, as `head` does; the interpreter's own flush at its end has nothing left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        if arguments[0] in ("run", "check"):  # the program's, which ends as in plain Python
            raise
        print(f"manycore: {arguments[0]}: interrupted", file=sys.stderr)
        return 130  # as a shell reports it
    except (options.UsageError, FileNotFoundError, ValueError) as error:
        print(f"manycore: {error}", file=sys.stderr)
        return 2


def usage() -> str:
    rows = [f"  {options.flag(row):<24} {row.help}" for row in options.rows()]
    return USAGE.format(options="\n".join(rows))


def _run(arguments: list[str]) -> int:
    from manycore.run import program

    parsed = options.parse("run", arguments, {})
    return program.run(parsed)


def _check(arguments: list[str]) -> int:
    from manycore.run import program

    parsed = options.parse("check", arguments, {})
    parsed.settings["check"] = "1"
    return program.run(parsed)


def _verify(arguments: list[str]) -> int:
    from manycore.run import compare, verify

    parsed = options.parse("verify", arguments, {"rtol": float, "atol": float, "repeats": int})
    own = parsed.own
    tolerance = None
    if "rtol" in own or "atol" in own:
        tolerance = compare.Tolerance(float(own.get("rtol", 0)), float(own.get("atol", 0)))
    result = verify.run_both(
        parsed.program, tolerance=tolerance, repeats=int(own.get("repeats", 1)), run_options=parsed.run_options()
    )
    print(verify.format_result(result), flush=True)
    return 0 if result.equal else 1


def _info(arguments: list[str]) -> int:
    from manycore.run import info

    if arguments:
        raise options.UsageError(f"info: takes no arguments, got {' '.join(arguments)}")
    print(info.text(), flush=True)
    return 0
