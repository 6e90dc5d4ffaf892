"""What the report says of tasks, the calls given to executors: where they ran, how they waited, what travelled, who was busy.

The member ``tasks`` of the JSON report is null where there were none, else:

* ``threads``, ``inline``, ``processes``: tasks that ran there, each with ``tasks``, ``busy_seconds`` (in their calls),
  ``waited_median``, ``waited_longest`` and ``waited_seconds``, which is the sum: from submit, or from the begin of a map, to
  the begin of the call, in seconds. Inline are the items of a map that `Executor` left to one thread, one after another.
  Items that travelled together in a chunk waited from the sending of the chunk. The median is exact to 7 %;
* ``native_tasks``: of the engine's own scheduler;
* ``sent_in_rings``, ``received_in_rings``, ``sent_in_blocks``, ``received_in_blocks``: bytes of arguments and results between
  processes, pickled in the rings or out-of-band; ``sent_unchanged``: those of ``sent_in_blocks`` that had been sent before,
  had not changed and were not copied again;
* ``worker_deaths``, ``retried_calls``, ``lost_tasks``: worker processes that ended unasked, calls that ran again after that, and
  tasks that did not;
* ``span_seconds``: from the begin of the first task to the end of the last; ``workers``: each with ``name``, ``kind``, ``tasks``,
  ``busy_seconds``, ``busy_share`` of that span, and ``load``: the busy share of each of at most 120 equal parts of it (the last
  may be shorter).

A program counts its own tasks so:

>>> from manycore.futures import ThreadPoolExecutor
>>> start()
>>> with ThreadPoolExecutor(1) as pool:
...     print(sum(pool.map(abs, [-1, -2, -3])))
6
>>> stop()
>>> current().threads.tasks
3
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from manycore import _tasks
from manycore.report.words import count_of, duration, size

WORKERS_SHOWN = 20


@dataclass(frozen=True)
class Place:
    """Tasks that ran in one kind of place; times in seconds."""

    tasks: int
    busy_seconds: float
    waited_median: float
    waited_longest: float
    waited_seconds: float


@dataclass(frozen=True)
class Worker:
    """One thread or process and what it did of ``Tasks.span_seconds``."""

    name: str
    kind: str
    tasks: int
    busy_seconds: float
    busy_share: float
    load: list[float]


@dataclass(frozen=True)
class Tasks:
    """All that was counted of tasks; the members are those of the JSON report."""

    threads: Place
    inline: Place
    processes: Place
    native_tasks: int
    sent_in_rings: int
    sent_in_blocks: int
    sent_unchanged: int
    received_in_rings: int
    received_in_blocks: int
    worker_deaths: int
    retried_calls: int
    lost_tasks: int
    span_seconds: float
    workers: list[Worker]

    @property
    def tasks(self) -> int:
        """How many ran, native ones aside."""
        return self.threads.tasks + self.inline.tasks + self.processes.tasks

    @property
    def places(self) -> list[tuple[str, Place]]:
        """Where tasks ran, in words."""
        named = (("on threads", self.threads), ("inline", self.inline), ("in processes", self.processes))
        return [(words, place) for words, place in named if place.tasks]

    @property
    def happened(self) -> bool:
        """Is there anything to say?"""
        return bool(self.tasks or self.native_tasks or self.worker_deaths or self.lost_tasks or self.sent_in_rings)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def start() -> None:
    """Count tasks from now on, beginning with nothing."""
    _tasks.keep_report(True)


def stop() -> None:
    """Count no more; ``current`` keeps what there is."""
    _tasks.keep_report(False)


def current() -> Tasks:
    """What was counted so far; ValueError where nobody started."""
    counted = _tasks.task_report()
    if counted is None:
        raise ValueError("tasks.current: nothing was counted, expected tasks.start() before")
    return from_counts(counted)


def from_counts(counted: dict[str, Any]) -> Tasks:
    """From what ``_tasks.task_report()`` counted. Workers are ordered by kind and time, busiest first."""
    span = counted["span_seconds"]
    workers = [Worker(**row, busy_share=min(1.0, row["busy_seconds"] / span) if span > 0 else 0.0) for row in counted["workers"]]
    workers.sort(key=lambda worker: (worker.kind != "thread", -worker.busy_seconds))
    places = {name: Place(**counted[name]) for name in ("threads", "inline", "processes")}
    return Tasks(**{**counted, **places, "workers": workers})


def format_tasks(tasks: Tasks) -> str:
    """For the terminal, without a title."""
    text = [f"  {_summary(tasks)}"]
    for words, place in tasks.places:
        text.append(
            f"    {words}: {duration(place.busy_seconds)} in calls, which waited {duration(place.waited_median)} (median), "
            f"{duration(place.waited_longest)} at most"
        )
    if tasks.processes.tasks or tasks.sent_in_rings:
        text.append(f"    sent to processes {_bytes(tasks)}")
    if tasks.worker_deaths or tasks.lost_tasks:
        text.append(f"    {deaths(tasks)}")
    if tasks.workers:
        text.append(f"    busy in {duration(tasks.span_seconds)} from the first task to the last, by worker")
        width = max(len(worker.name) for worker in tasks.workers[:WORKERS_SHOWN])
        text += [
            f"      {worker.name:<{width}}  {_bar(worker.busy_share)} {100 * worker.busy_share:3.0f} %  "
            f"{count_of(worker.tasks, 'task')}"
            for worker in tasks.workers[:WORKERS_SHOWN]
        ]
        if len(tasks.workers) > WORKERS_SHOWN:
            text.append(f"      and {len(tasks.workers) - WORKERS_SHOWN} more")
    return "\n".join(text)


def _summary(tasks: Tasks) -> str:
    where = [f"{place.tasks:,} {words}" for words, place in tasks.places]
    native = [count_of(tasks.native_tasks, "native task")] if tasks.native_tasks else []
    if not where:
        return ", ".join(native) or "no task ended"
    return ", ".join([f"{count_of(tasks.tasks, 'task')}: {', '.join(where)}", *native])


def _bytes(tasks: Tasks) -> str:
    unchanged = f" ({size(tasks.sent_unchanged)} unchanged, not copied again)" if tasks.sent_unchanged else ""
    return (
        f"{size(tasks.sent_in_rings)} in rings and {size(tasks.sent_in_blocks)} out-of-band{unchanged}, received "
        f"{size(tasks.received_in_rings)} and {size(tasks.received_in_blocks)}"
    )


def deaths(tasks: Tasks) -> str:
    """What deaths of workers came to, in words."""
    return (
        f"{count_of(tasks.worker_deaths, 'worker')} ended unasked: {count_of(tasks.retried_calls, 'call')} ran again, "
        f"{count_of(tasks.lost_tasks, 'task')} lost"
    )


def _bar(share: float) -> str:
    """Ten characters.

    >>> _bar(0.5), _bar(1.0), _bar(0.0)
    ('#####.....', '##########', '..........')
    """
    full = round(10 * share)
    return "#" * full + "." * (10 - full)
