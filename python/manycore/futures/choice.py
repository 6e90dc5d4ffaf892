"""Where the calls of a map run best, told from what the first of them took: pure arithmetic, so that each case can be tested."""

from __future__ import annotations

from dataclasses import dataclass

from manycore.main_interpreter import side_by_side

ALONE_BELOW = 5e-6  # seconds: handing a call to another thread is not worth it
SOME_MAY_WAIT = 50e-6  # seconds: where a thread for each costs nothing that shows, calls that wait one day do not wait in a row
_GAIN = 0.7  # other processes must promise this share of the time, since the estimate is one
_MESSAGE = 0.3e-6  # seconds that the program spends for each item it sends in a chunk
_BYTES_A_SECOND = 4e9
_UNPICKLING = 1.5  # against pickling


@dataclass(frozen=True)
class Measured:
    """What the first calls of a map took. `gil_held`: share of the time in which no other thread could run Python."""

    calls: int
    seconds: float
    processor_seconds: float
    gil_held: float
    left: int  # items that have not begun
    workers: int
    cores: int
    start_seconds: float = 0.0  # until the first worker process answers
    pickled_bytes: int | None = None  # of one call's arguments
    pickle_seconds: float = 0.2e-6

    @property
    def call_seconds(self) -> float:
        return self.seconds / max(self.calls, 1)

    @property
    def processor_share(self) -> float:
        return min(1.0, self.processor_seconds / self.seconds) if self.seconds > 0 else 1.0

    def inline_seconds(self) -> float:
        return self.left * self.call_seconds

    def thread_seconds(self) -> float:
        """Only one thread holds the GIL, only so many compute as there are cores; the rest is waiting, which all do at once."""
        share = max(self.gil_held, self.processor_share / self.cores, 1 / self.workers)
        return self.inline_seconds() * min(1.0, share)

    def process_seconds(self) -> float:
        workers = max(1, min(self.workers, self.cores))
        message = _MESSAGE + (1 + _UNPICKLING) * self.pickle_seconds + (self.pickled_bytes or 0) / _BYTES_A_SECOND
        return self.start_seconds + self.left * max(self.call_seconds / workers, message)


@dataclass(frozen=True)
class Explanation:
    """What `Executor` chose for a map, and why. `str()` is the text; the fields are what it is made of."""

    function: str
    items: int | None  # None: nobody knows, since they are taken as results are read
    where: str  # "inline", "threads" or "processes"
    reason: str
    measured: Measured | None = None
    permission: str = ""  # what processes="allowed" would gain

    def __str__(self) -> str:
        over = "items taken one by one" if self.items is None else _count(self.items, "item")
        text = f"{self.function} over {over}: {self.where}, since {self.reason}"
        seen = self.measured
        if seen is not None:
            timed = f"{calls(seen.calls)} timed: {duration(seen.call_seconds)} each"
            if seen.calls == 0:
                timed = f"the first call ran for {duration(seen.seconds)} so far"
            text += (
                f"\n  {timed}, GIL held "
                f"{100 * seen.gil_held:.0f} % of the time, processor used {100 * seen.processor_share:.0f} %"
            )
            if seen.pickled_bytes is not None:
                text += f", {seen.pickled_bytes} bytes pickled a call"
            if seen.gil_held > 0.5:
                text += f"\n  {side_by_side()}"
        return text + (f"\n  {self.permission}" if self.permission else "")


def choose(seen: Measured, may_use_processes: bool) -> tuple[str, str]:
    """Where the rest runs, and why."""
    inline, threads, processes = seen.inline_seconds(), seen.thread_seconds(), seen.process_seconds()
    if may_use_processes and processes < _GAIN * min(inline, threads):
        return "processes", (
            f"calls hold the GIL: {duration(processes)} expected for the rest instead of {duration(min(inline, threads))}"
        )
    each = duration(seen.call_seconds)
    if seen.workers == 1:
        return "inline", "there is one worker"
    if seen.call_seconds < ALONE_BELOW:
        return "inline", f"calls are cheap ({each})"
    if threads < 0.8 * inline:
        what = "wait" if seen.processor_share < 0.5 * (1 - seen.gil_held) else "let go of the GIL"
        return "threads", f"calls {what}: {duration(threads)} expected for the rest instead of {duration(inline)}"
    if seen.call_seconds < SOME_MAY_WAIT:
        return "inline", f"calls hold the GIL and are cheap ({each})"
    return "threads", f"calls hold the GIL, and one that waits shall not keep the others ({each} each)"


def permission_gain(seen: Measured) -> str:
    """What the permission would bring, in words; empty where it would bring nothing."""
    now = min(seen.inline_seconds(), seen.thread_seconds())
    then = seen.process_seconds()
    if then >= _GAIN * now:
        return 'processes="allowed" would gain nothing'
    return (
        f'processes="allowed" would take about {duration(then)} for the rest instead of {duration(now)}, '
        "if the function and its arguments can be pickled and side effects on globals do not matter"
    )


def duration(seconds: float) -> str:
    """
    >>> duration(2.5e-6), duration(0.0123), duration(75)
    ('2.5 us', '12.3 ms', '75 s')
    """
    for factor, unit in ((1e6, "us"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def calls(number: int) -> str:
    return _count(number, "call")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
