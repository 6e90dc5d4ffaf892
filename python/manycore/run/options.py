"""The options of the command line. The table stands in src/base/options.def; flags, environment names and help come from it.

>>> parsed = parse("run", ["--threads", "2", "model.py", "--fast"], {})
>>> parsed.settings, parsed.program
({'threads': '2'}, ['model.py', '--fast'])
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping

from manycore import _front

TYPE_CHECKING = False  # as typing's, whose import every program would wait for, as for that of dataclasses
if TYPE_CHECKING:
    from typing import Any

PROGRAM_FLAGS = ("-m", "-c", "-")


class UsageError(Exception):
    """A command line that says something unknown; the text names the choices."""


class Row:
    """One option: ``value`` is the one in force and ``source`` says who set it."""

    def __init__(self, name: str, type: str, default: str, help: str, value: Any, source: str) -> None:
        self.name = name
        self.type = type
        self.default = default
        self.help = help
        self.value = value
        self.source = source


class Parsed:
    """A command line taken apart. ``program`` is what would follow ``python``."""

    def __init__(self, program: list[str]) -> None:
        self.program = program
        self.settings: dict[str, str] = {}
        self.include: list[str] = []
        self.exclude: list[str] = []
        self.own: dict[str, Any] = {}

    def run_options(self) -> list[str]:
        """The same options spelled for another ``manycore run``."""
        words = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        return words + [f"--include={name}" for name in self.include] + [f"--exclude={name}" for name in self.exclude]


def rows() -> list[Row]:
    """Every option with the value in force."""
    return [Row(**row) for row in _front.option_rows()]


def set_option(name: str, value: object) -> None:
    """Put a value in force; the extension of arrays, where it is loaded, follows some of them."""
    sys.modules.get("manycore._core", _front).set_option(name, value)


def flag(row: Row) -> str:
    """How the option is written: ``--threads INTEGER``, ``--eager``, ``--report[=FILE]``."""
    name = "--" + row.name.replace("_", "-")
    if row.type == "boolean":
        return name
    if row.name == "report":
        return name + "[=FILE]"
    return f"{name} {row.type.partition('(')[0].upper()}"


def environment_name(row: Row) -> str:
    return "MANYCORE_" + row.name.upper()


def parse(command: str, arguments: Iterable[str], own: Mapping[str, Callable[[str], Any]]) -> Parsed:
    """Options up to the program, then the program and its arguments. ``own`` are options of this command alone."""
    words = list(arguments)
    table = {row.name.replace("_", "-"): row for row in rows()}
    parsed = Parsed([])
    while words:
        word = words.pop(0)
        if word == "--":  # the end of the options, as elsewhere
            parsed.program = _script_or_module(command, words)
            break
        if not word.startswith("--"):
            parsed.program = _program(command, word, words)
            break
        name, equals, value = word[2:].partition("=")
        row = table.get(name)
        if row is None and name not in own and name not in ("include", "exclude"):
            choices = [f"--{known}" for known in [*table, *own, "include", "exclude"]]
            raise UsageError(unknown(f"{command}: option", f"--{name}", choices))
        if not equals:
            if row is not None and row.type == "boolean":
                value = "1"
            elif row is not None and row.name == "report":
                value = "terminal"
            elif words:
                value = words.pop(0)
            else:
                raise UsageError(f"{command}: option --{name} needs a value, expected --{name} VALUE, got nothing after it")
        _store(command, parsed, name, value, row, own)
    if not parsed.program:
        expected = "expected a script, -m MODULE or -c CODE"
        raise UsageError(f"{command}: no program given, {expected}; try manycore {command} script.py")
    return parsed


def _store(command: str, parsed: Parsed, name: str, value: str, row: Row | None, own: Mapping[str, Callable[[str], Any]]) -> None:
    if row is not None:
        if row.type == "text" and not value:
            form = flag(row).replace(" ", "=")
            raise UsageError(f"{command}: option --{name}, expected {form}, got nothing after the equals sign")
        parsed.settings[row.name] = value
    elif name in ("include", "exclude"):
        if not value:
            raise UsageError(f"{command}: option --{name}, expected --{name}=PKG, got nothing after the equals sign")
        getattr(parsed, name).append(value)
    else:
        try:
            parsed.own[name] = own[name](value)
        except ValueError:
            raise UsageError(f"{command}: option --{name}, expected a number, got {value!r}") from None


def _script_or_module(command: str, words: list[str]) -> list[str]:
    """What follows ``--``: ``-m`` and ``-c`` as ever, else a script whatever its name begins with."""
    if words and (words[0][:2] in ("-m", "-c")):
        return _program(command, words[0], words[1:])
    return words


def _program(command: str, word: str, rest: list[str]) -> list[str]:
    """Split ``-mpytest`` as python does; other short options are python's and not ours."""
    if word[:2] in ("-m", "-c"):
        program = [word[:2], word[2:], *rest] if len(word) > 2 else [word, *rest]
        if len(program) < 2:
            raise UsageError(f"{command}: nothing after {word}, expected {word} {'MODULE' if word == '-m' else 'CODE'}")
        return program
    if word.startswith("-") and word != "-":
        raise UsageError(
            f"{command}: unknown option {word}, expected a script, -m MODULE, -c CODE or an option with two dashes; "
            "options of python itself go before: python -X dev -m manycore run script.py"
        )
    return [word, *rest]


def unknown(what: str, got: str, choices: list[str]) -> str:
    """An error text that names the choices and the nearest one."""
    import difflib

    near = difflib.get_close_matches(got, choices, 1)
    guess = f"did you mean {near[0]}? " if near else ""
    return f"{what} {got!r} is not known; {guess}choices: {', '.join(choices)}"
