"""Functions and values of the tests of errors: what raises, dies, or does not travel between processes."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from process_tasks import die


def stop_at(x: int, at: int) -> int:
    if x == at:
        raise StopIteration(f"at {at}")
    return x


def stop_at_two(x: int) -> int:
    return stop_at(x, 2)


def compute_or_stop(x: int) -> int:
    sum(range(20_000))
    return stop_at(x, 2900)


class StopWithMore(StopIteration):
    pass


def stop_with_more(x: int) -> int:
    raise StopWithMore(x)


def stop_asynchronously(x: int) -> int:
    raise StopAsyncIteration(x)


class NeedsMore(Exception):
    """Cannot be rebuilt: pickle calls it with its args alone."""

    def __init__(self, text: str, more: int) -> None:
        super().__init__(text)
        self.more = more


def raise_needs_more(text: str) -> None:
    raise NeedsMore(text, 5)


class HoldsLock(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


def raise_holding_lock(text: str) -> None:
    raise HoldsLock(text)


def return_holding_lock() -> Any:
    return {"lock": HoldsLock("held")}


class Odd:
    """One of them cannot be pickled, another not be rebuilt here, another not there."""

    def __init__(self, number: int, pickles: int = -1, travels: int = -1, returns: int = -1) -> None:
        self.numbers = number, pickles, travels, returns

    def __reduce__(self) -> Any:
        number, pickles, _travels, _returns = self.numbers
        if number == pickles:
            raise ArithmeticError(f"item {number}")
        return rebuild_odd, (*self.numbers, os.getpid())


def rebuild_odd(number: int, pickles: int, travels: int, returns: int, home: int) -> Any:
    if number == travels and os.getpid() != home:
        raise ArithmeticError(f"item {number}")
    return Odd(number, pickles, travels, returns)


class OddResult:
    def __init__(self, number: int, fails: str) -> None:
        self.number, self.fails = number, fails

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OddResult) and other.number == self.number

    def __reduce__(self) -> Any:
        if self.fails == "pickling":
            raise ArithmeticError(f"result {self.number}")
        return rebuild_result, (self.number, self.fails, os.getpid())


def rebuild_result(number: int, fails: str, home: int) -> Any:
    if fails == "rebuilding" and os.getpid() != home:
        raise ArithmeticError(f"result {number}")
    return OddResult(number, fails)


def number_of(odd: Odd) -> int:
    return odd.numbers[0]


def odd_result(number: int, at: int, fails: str) -> Any:
    return [OddResult(number, fails if number == at else ""), {"more": (number, np_like(number))}]


def np_like(number: int) -> bytes:
    return bytes([number % 256]) * 100_000


def stop_or_need(x: int) -> int:
    if x == 10:
        raise NeedsMore(f"at {x}", 1)
    return x


def die_at(x: int, at: int) -> int:
    time.sleep(0.002)
    if x == at:
        die("kill")
    return x


def die_with(how: str, *_: object) -> None:
    die(how)


def compute_or_die(home: int, x: int) -> int:
    sum(range(20_000))
    if x == 2900 and os.getpid() != home:
        die("kill")
    return x
