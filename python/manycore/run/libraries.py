"""What some libraries need to be told, when the program imports them: pytest caches the bytecode of rewritten test modules,
cloudpickle and multiprocessing start processes that have not loaded manycore.
"""

from __future__ import annotations

import importlib.machinery
import sys
import types
from collections.abc import Callable, Sequence

from manycore.run import children, import_hook, transform

TYPE_CHECKING = False  # as typing's
if TYPE_CHECKING:
    from typing import Any


def _patch_pytest(module: Any) -> None:
    if "manycore" not in module.PYC_TAIL:
        module.PYC_TAIL = f"-manycore{transform.VERSION}{module.PYC_TAIL}"


def _patch_cloudpickle(module: Any) -> None:
    plain_reduce = module._code_reduce

    def reduce_code(code: types.CodeType) -> Any:
        make, arguments = plain_reduce(code)[:2]
        return make_code, (make, *arguments)

    module.CloudPickler._dispatch_table[types.CodeType] = reduce_code


def make_code(make: Callable[..., types.CodeType], *arguments: Any) -> types.CodeType:
    """Unpickles code that was sent by value, in a process that may not have loaded manycore yet."""
    import_hook.bring_arrays()
    import_hook.add_helpers()
    return make(*arguments)


def _bring_arrays(_: Any) -> None:
    import_hook.bring_arrays()


PATCHES: dict[str, Callable[[Any], None]] = {
    "numpy": _bring_arrays,
    "multiprocessing.spawn": children.patch_spawn,
    "multiprocessing.reduction": children.patch_reduction,
    "_pytest.assertion.rewrite": _patch_pytest,
    "cloudpickle.cloudpickle": _patch_cloudpickle,
    "joblib.externals.cloudpickle.cloudpickle": _patch_cloudpickle,
}


_patched: set[int] = set()


def _patch(name: str, module: Any) -> None:
    if name == "multiprocessing.reduction" and import_hook.arrays is None:
        return  # it learns of arrays when they come
    if id(module) not in _patched:  # installing twice must not patch twice
        _patched.add(id(module))
        PATCHES[name](module)


class Watcher:
    """Sees the modules of PATCHES being imported and patches them right after."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in PATCHES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader
        plain_exec = loader.exec_module

        @import_hook.as_import_frame
        def exec_module(module: types.ModuleType) -> None:
            plain_exec(module)
            _patch(name, module)

        loader.exec_module = exec_module
        return spec


_watcher = Watcher()


def install() -> None:
    if _watcher not in sys.meta_path:
        sys.meta_path.insert(0, _watcher)
        _patch_what_is_there()


def _patch_what_is_there() -> None:
    if _watcher in sys.meta_path:
        for name in PATCHES:
            if name in sys.modules and name != "numpy":
                _patch(name, sys.modules[name])


import_hook.after_arrays.append(_patch_what_is_there)


def uninstall() -> None:
    if _watcher in sys.meta_path:
        sys.meta_path.remove(_watcher)
