"""``python -m manycore`` puts the working folder before everything, as for any module; but what lies there is the program's:
neither its ``json.py`` nor its ``numpy.py`` is for manycore's own imports."""

from __future__ import annotations

import os
import sys

NOWHERE = "<the program's folder>"  # whose place it keeps: manycore.run.program puts that there


def leave_out_working_folder() -> None:
    """To be called first of all in ``python -m manycore``; does nothing anywhere else."""
    if sys.argv[:1] != ["-m"] or sys.flags.safe_path or not _is_module_of_command_line("manycore"):
        return
    if os.path.dirname(os.path.dirname(os.path.abspath(__file__))) != os.path.abspath(sys.path[0]):
        sys.path[0] = NOWHERE


def _is_module_of_command_line(name: str) -> bool:
    words = sys.orig_argv[1:]
    return any(
        word.startswith("-") and (word.endswith("m" + name) or (word.endswith("m") and after == name))
        for word, after in zip(words, [*words[1:], ""], strict=True)
    )
