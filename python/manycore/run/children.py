"""Processes that a program starts through multiprocessing run under the same hook.

Fork inherits it. Spawn and forkserver send the child a pickled dict before it imports the main module: it gets one more
entry, whose unpickling installs the hook there.
"""

from __future__ import annotations

from collections.abc import Callable

from manycore import _front
from manycore.run import import_hook, options

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from typing import Any

KEY = "manycore"


class Reinstall:
    """Pickles as the call that installs the hook in the child."""

    def __init__(self, rule: str, settings: dict[str, Any]) -> None:
        self.rule = rule
        self.settings = settings

    def __reduce__(self) -> tuple[Any, ...]:
        return install_in_child, (self.rule, self.settings)


def patch_spawn(module: Any) -> None:
    """Let multiprocessing.spawn send the hook along, as long as it is installed here."""
    plain_preparation_data = module.get_preparation_data

    def preparation_data(name: str) -> Any:
        return plain_preparation_data(name) | entry()

    module.get_preparation_data = preparation_data


def entry() -> dict[str, Reinstall]:
    """What is told to a new interpreter beyond what multiprocessing tells it."""
    if not import_hook.is_installed() or import_hook.policy is None:
        return {}
    settings = {row["name"]: row["value"] for row in _front.option_rows() if row["source"] == "set"}
    return {KEY: Reinstall(import_hook.policy.to_json(), settings)}


def patch_reduction(module: Any) -> None:
    """Our arrays are ours on the other side too: what multiprocessing sends arrives under the same rule."""
    module.ForkingPickler.register(import_hook.arrays.ndarray, reduce_array)


def reduce_array(array: Any) -> tuple[Any, ...]:
    """For multiprocessing's pickler; its table finds this for real arrays too, since the two types are equal."""
    import pickle

    from manycore import _core

    parts: tuple[Any, ...] = _core.to_real(array).__reduce_ex__(pickle.DEFAULT_PROTOCOL)
    return (rebuild_array, parts) if type(array) is _core.ndarray else parts


def rebuild_array(make: Callable[..., Any], arguments: tuple[Any, ...], state: Any = None) -> Any:
    array = make(*arguments)
    if state is not None:
        array.__setstate__(state)
    from manycore import _core

    return _core.from_real(array)


def install_in_child(rule: str, settings: dict[str, Any]) -> None:
    """Runs in a child process, before its main module is imported."""
    import json

    from manycore import session

    for name, value in settings.items():
        if name != "report":  # the parent's report; a child must not write over it
            options.set_option(name, value)
    session.install(**json.loads(rule))
