"""joblib's `Parallel` on manycore's threads and processes, and a joblib backend for programs that use joblib already.

Needs joblib. Importing this module registers the backend, so ``joblib.parallel_config(backend="manycore")`` works from then on,
for scikit-learn too; it also starts the fork server that worker processes come from, which is ready when joblib is loaded.

>>> from manycore.parallel import Parallel, delayed
>>> Parallel(n_jobs=2)(delayed(pow)(i, 2) for i in range(5))
[0, 1, 4, 9, 16]
"""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any

from manycore.futures.progress import Progress, begin, with_progress
from manycore.parallel import crews

crews.prepare()  # joblib takes as long to load as the server does
try:
    import joblib  # type: ignore[import-untyped]
except ImportError as error:
    raise ImportError("manycore.parallel needs joblib, which is not installed: pip install 'manycore[parallel]'") from error
from joblib import cpu_count, delayed, effective_n_jobs, parallel_config, register_parallel_backend  # noqa: E402
from joblib.parallel import get_active_backend  # type: ignore[import-untyped]  # noqa: E402

from manycore.parallel.backend import ManycoreBackend  # noqa: E402

__all__ = ["ManycoreBackend", "Parallel", "cpu_count", "delayed", "effective_n_jobs", "parallel_config"]

register_parallel_backend("manycore", ManycoreBackend)
crews.prepare_as_fork()


def _is_chosen() -> bool:
    """Has somebody chosen a backend, by ``parallel_config`` or is this a task? joblib makes its default anew each time."""
    return get_active_backend()[0] is get_active_backend()[0]


class Parallel(joblib.Parallel):  # type: ignore[misc]
    """`joblib.Parallel` whose backend is manycore's where none is chosen: all of its arguments, methods and messages.

    The calls run in worker processes, which are kept for the next `Parallel`; with ``prefer="threads"`` or
    ``require="sharedmem"`` on threads of this process. See `ManycoreBackend` for what arrays are in the workers.
    ``progress=`` shows how far a call is: ``True`` for a line on the terminal, ``"tqdm"``, or a function of one argument
    (`manycore.futures.progress.State`).

    >>> from manycore.parallel import Parallel, delayed
    >>> next(Parallel(n_jobs=2, return_as="generator")(delayed(str.upper)(word) for word in ("a", "b")))
    'A'
    """

    def __init__(self, n_jobs: int | None = None, backend: Any = None, *, progress: Progress = None, **options: Any) -> None:
        if backend is None and not _is_chosen():
            backend = "manycore"
        chosen = {} if n_jobs is None else {"n_jobs": n_jobs}
        super().__init__(backend=backend, **chosen, **options)
        self.progress = progress

    def __call__(self, iterable: Iterable[Any]) -> Any:
        total = len(iterable) if isinstance(iterable, Sized) else None
        if self.return_generator:
            return with_progress(super().__call__(iterable), self._counts, total, self.progress)
        shown = begin(self._counts, total, self.progress)
        if shown is None:
            return super().__call__(iterable)
        finished = False
        try:
            results = super().__call__(iterable)
            finished = True
            return results
        finally:
            shown.finish(finished)

    def _counts(self) -> tuple[int, int]:
        """How many calls are over; the first that fails ends the call."""
        return self.n_completed_tasks, 0
