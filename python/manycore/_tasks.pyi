# The extension of futures and pools, for type checkers.
import concurrent.futures
from collections.abc import Generator
from typing import Any, TypeVar

_T = TypeVar("_T")

__version__: str

class Future(concurrent.futures.Future[_T]):
    def __await__(self) -> Generator[Any, None, _T]: ...
