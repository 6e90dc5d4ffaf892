# The extension of futures and pools, for type checkers.
import concurrent.futures
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

__version__: str

class Future(concurrent.futures.Future[_T]):
    def __await__(self) -> Generator[Any, None, _T]: ...

class MapResults: ...

class ThreadPool:
    def __init__(
        self,
        most_threads: int,
        start: Callable[[Callable[[], None]], None],
        broken_error: type[BaseException],
        initializer: Callable[..., object] | None,
        arguments: tuple[Any, ...],
        inherits_context: bool,
        /,
    ) -> None: ...
    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]: ...
    def _map(self, fn: Callable[..., _T], iterables: tuple[Iterable[Any], ...], timeout: float | None, /) -> Iterator[_T]: ...
    def _stop(self, cancel: bool, /) -> None: ...
    _shutdown: bool
    _broken: str | bool
    @property
    def _waiting(self) -> int: ...

def stop_all_pools() -> None: ...
def after_fork_in_child() -> None: ...
def tasks_run() -> int: ...
