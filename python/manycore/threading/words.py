"""The text of a deadlock: who waits for what, where that was made, who has it, and every thread's stack."""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType
    from typing import Any

KINDS = {"lock": "Lock", "rlock": "RLock", "event": "Event", "condition": "Condition", "semaphore": "Semaphore"}
MOST_FRAMES = 8
HERE = os.path.dirname(os.path.abspath(__file__))


class Wait:
    """One thread of a circle, as the engine describes it."""

    def __init__(
        self, thread: int, kind: str, thing: Any, seconds: float, wakers: list[int], cancellable: bool, serial: int
    ) -> None:
        self.thread = thread
        self.kind = kind
        self.thing = thing
        self.seconds = seconds
        self.wakers = wakers
        self.cancellable = cancellable
        self.serial = serial


def name_of(thread: int) -> str:
    """The name of a thread by its identifier."""
    if thread == 0:
        return "a thread that is over"
    known = threading._active.get(thread)  # type: ignore[attr-defined]
    return known.name if known is not None else f"thread {thread}"


def place(made: tuple[str, int, str] | None) -> str:
    """``made at bank.py:7 in open_account``; nothing where it is not known."""
    if made is None:
        return ""
    return f" made at {made[0]}:{made[1]}" + (f" in {made[2]}" if made[2] != "<module>" else "")


def thing(wait: Wait) -> str:
    """What is waited for, in words."""
    if wait.kind == "join":
        return f"the end of {wait.thing.name}"
    if wait.kind == "map":
        return "the next result of a map over a pool"
    if wait.kind == "future":
        return future(wait.thing) + (", which waits for a thread of its pool" if wait.cancellable else "")
    queue = getattr(wait.thing, "_of_queue", None)
    if queue is not None:
        return f"a {queue[0]}{place(queue[1])} that is {queue[2]}"
    return f"the {KINDS[wait.kind]}{place(getattr(wait.thing, '_made_at', None))}"


def future(thing: Any) -> str:
    """A future by its call, and where that was submitted."""
    from manycore import _tasks

    if not isinstance(thing, _tasks.Future):
        left = [one for one in list(thing) if not one.done()]
        return future(left[0]) if len(left) == 1 else f"one of {len(left)} futures"
    call = _tasks.call_of_future(thing)
    if call is None:
        return "a future that nobody is to complete"
    function, made = call
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"the call of {name}" + (f" submitted at {made[0]}:{made[1]}" if made else "")


def _relation(wait: Wait) -> str:
    names = [name_of(thread) for thread in wait.wakers]
    if wait.kind in ("lock", "rlock"):
        return f", which {names[0]} has" if names else ""
    if wait.kind in ("future", "map") and names:
        if wait.cancellable:
            return f" of {len(names)}, all of which wait: {', '.join(names)}"
        return f", which runs in {', '.join(names)}"
    if wait.kind == "join":
        return ""
    return ", which nobody is left to set free"


def stack(frame: FrameType | None) -> list[str]:
    """The innermost frames of a thread, without those of the interpreter's and our own threading."""
    import traceback

    if frame is None:
        return []
    summary = [entry for entry in traceback.extract_stack(frame) if not _is_bare(entry.filename)]
    return [f"    {line}" for text in traceback.format_list(summary[-MOST_FRAMES:]) for line in text.rstrip("\n").split("\n")]


def _is_bare(filename: str) -> bool:
    return filename == threading.__file__ or filename.startswith(HERE)


def message(circle: list[Wait], frames: Mapping[int, FrameType], certain: bool) -> str:
    """The whole text of one circle, the thread that began to wait last at its end."""
    circle = sorted(circle, key=lambda wait: wait.serial)
    names = [name_of(wait.thread) for wait in circle]
    if len(circle) == 1:
        what = f"{names[0]} waits for what nobody can give it any more"
    else:
        what = f"{', '.join(names[:-1])} and {names[-1]} wait for each other"
    lines = [f"{'deadlock' if certain else 'suspected deadlock'}: {what}"]
    for wait, name in zip(circle, names, strict=True):
        lines.append(f"  {name} waits for {thing(wait)}{_relation(wait)}:")
        lines += stack(frames.get(wait.thread))
    # Who has something and is not of the circle: a thread that is over has no stack.
    return "\n".join(lines)


def order(edges: list[Any]) -> str:
    """The text of a circle in the order in which locks are taken."""
    lines = ["locks are taken in orders that may lead to a deadlock:"]
    for held, taken, where, same in edges:
        at = f"at {where[0]}:{where[1]} in {where[2]} " if where else ""
        other = "another one of that line" if same else f"the one{place(held)}"
        lines.append(f"  {at}the lock{place(taken)} is taken while {other} is held")
    return "\n".join(lines)
