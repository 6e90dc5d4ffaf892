"""Which calls are rewritten, and that every instruction keeps its place in the source."""

from __future__ import annotations

import ast
import dis
import doctest
import importlib
import importlib.util
import random
import sys
import textwrap
import warnings
from pathlib import Path
from types import CodeType

import pytest
from manycore.run.transform import CALL, CALLEE, MODULE, foreign_names, transform

FOREIGN = frozenset({"lib", "other"})


def rewritten(text: str) -> str:
    tree = ast.parse(textwrap.dedent(text))
    transform(tree, FOREIGN.__contains__)
    compile(tree, "<test>", "exec")
    return ast.unparse(tree)


def crossing(text: str) -> list[str]:
    """The callees of the calls that cross, in order of the source."""
    tree = ast.parse(textwrap.dedent(text))
    transform(tree, FOREIGN.__contains__)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in (CALL, CALLEE):
            found.append((node.args[0].lineno, node.args[0].col_offset, ast.unparse(node.args[0]).replace(CALL + "(", "call(")))
    return [name for _, _, name in sorted(found)]


@pytest.mark.parametrize(
    ("text", "callees"),
    [
        ("import lib\nlib.f(1)", ["lib.f"]),
        ("import lib.sub as s\ns.deep.f(1)", ["s.deep.f"]),
        ("from lib import f as g\ng(1)", ["g"]),
        ("from lib import *\nf(1); print(2)", ["f"]),
        ("import lib\nx = lib.A()\nx.b.c()", ["lib.A", "x.b.c"]),
        ("import lib\na, (b, *c) = lib.f()\nc[0].g()", ["lib.f", "c[0].g"]),
        ("import lib\nfor a in lib.f(): a.g()", ["lib.f", "a.g"]),
        ("import lib\nwith lib.f() as (a, b): b.g()", ["lib.f", "b.g"]),
        ("import lib\nr = [a.g(b) for a in lib.f() for b in a.h()]", ["a.g", "lib.f", "a.h"]),
        ("import lib\nif (a := lib.f()): a.g()", ["lib.f", "a.g"]),
        ("import lib\nd = {}\nd['k'] = lib.f()\nd['k'].g()", ["lib.f", "d['k'].g"]),
        ("import lib\nms = [lib.A(), lib.B()]\nfor n, m in enumerate(ms): m.g()", ["lib.A", "lib.B", "m.g"]),
        ("import lib\nclass C:\n def __init__(self): self.m = lib.A()\n def g(self): self.m.f(1)", ["lib.A", "self.m.f"]),
        (
            "import lib\nclass C(lib.B):\n def f(self): self.own(); self.theirs(); super().f()\n def own(self): pass\nC()",
            ["self.theirs", "super().f", "C"],
        ),
        ("import lib\ndef make(): return lib.f()\nmake().g()", ["lib.f", "make().g"]),
        ("import lib\ndef use(a, n): a.g()\nuse(lib.f(), 1)", ["a.g", "lib.f"]),
        ("import lib\ndef use(a: lib.A, n: int): a.g(); n.g()", ["a.g"]),
        ("import lib\n@lib.jit\ndef f(x): return x\nf(1)", ["f"]),
        ("import lib\ndef f():\n global g\n g = lib.f()\ng.h()", ["lib.f", "g.h"]),
        ("import lib\ndef f():\n a = None\n def h():\n  nonlocal a\n  a = lib.f()\n a.g()", ["lib.f", "a.g"]),
        ("import lib\nasync def f():\n async with lib.f() as a: await a.g()", ["lib.f", "a.g"]),
        ("import lib\nmatch lib.f():\n case [a, b]: a.g()", ["lib.f", "a.g"]),
        ("import lib\nf = lambda v: lib.f(v)", ["lib.f"]),
        ("def f():\n import lib\n lib.f()", ["lib.f"]),
        ("import lib\nlib.f(*a, **k)", ["lib.f"]),
        ("import lib\n(lib.f() + 1).g()", ["(call(lib.f) + 1).g", "lib.f"]),
    ],
)
def test_values_of_libraries_are_followed(text: str, callees: list[str]) -> None:
    assert crossing(text) == callees


@pytest.mark.parametrize(
    "text",
    [
        "import numpy as np\nnp.sin(np.ones(3)).sum()",
        "import math, os\nmath.sin(1); os.path.join('a')",
        "from . import lib\nlib.f()",
        "from .lib import f\nf()",
        "import mine\nmine.f()",
        "import lib\ndef f(lib): lib.g()",
        "import lib\ndef f(a): return a\nf(1).g()",
        "import lib\nclass C:\n def m(self): self.n()\n def n(self): pass\nC().m()",
        "import lib\nprint(len([1])); sorted([2])",
    ],
)
def test_other_calls_stay_as_they_are(text: str) -> None:
    assert rewritten(text) == ast.unparse(ast.parse(text))


def test_sys_modules_is_wrapped_where_it_is_read() -> None:
    assert rewritten("import sys\nsys.modules['numpy']") == f"import sys\n{MODULE}(sys.modules['numpy'])"
    assert rewritten("import sys as s\ns.modules.get(n)") == f"import sys as s\n{MODULE}(s.modules.get(n))"
    assert rewritten("from sys import modules\nmodules[n]") == f"from sys import modules\n{MODULE}(modules[n])"
    for text in ("import sys\nsys.modules['a'] = 1", "import sys\ndel sys.modules['a']", "import sys\n'a' in sys.modules"):
        assert rewritten(text) == text


def test_names_are_remembered_from_cell_to_cell() -> None:
    names = foreign_names(ast.parse("import lib\nx = lib.f()\ny = 1"), FOREIGN.__contains__)
    assert names == {"lib", "x"}
    tree = ast.parse("x.g(y)")
    assert transform(tree, FOREIGN.__contains__, names)
    assert ast.unparse(tree) == f"{CALL}(x.g, y)"


PLACES = """
import lib
from lib import thing

def work(a, *rest, **more):
    one = lib.f(a, 1)
    two = (lib
        .first(a)
        .second(a,
                b=2)
        .third(*rest))
    three = lib.f(
        a,
        lib.g(one, two),
        **more)
    return [thing(x) for x in three if x.ok()] + lib.a.b.c(
        1)

class Net(lib.Base):
    @lib.decorate(1)
    def go(self):
        with lib.open("x") as f: return super().go(f)
"""


def places(code: CodeType) -> list[tuple[str, set[tuple[int | None, ...]]]]:
    """Where calls, loads and stores stand; the position of a call is what tracebacks show."""
    instructions = [i for i in dis.get_instructions(code) if i.opname.startswith("CALL")]
    calls = {tuple(i.positions) for i in instructions if i.positions and i.positions.lineno}
    found = [(code.co_qualname, calls)]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += places(constant)
    return found


def test_calls_keep_their_lines_and_columns() -> None:
    tree = ast.parse(PLACES)
    assert transform(tree, FOREIGN.__contains__)
    plain, ours = places(compile(PLACES, "<test>", "exec")), places(compile(tree, "<test>", "exec"))
    assert [name for name, _ in ours] == [name for name, _ in plain]
    for (name, expected), (_, got) in zip(plain, ours, strict=True):
        assert expected <= got, name


def sample_of_installed_modules(count: int) -> list[Path]:
    roots = [Path(spec.origin).parent for name in ("scipy", "pandas") if (spec := importlib.util.find_spec(name)) and spec.origin]
    files = sorted(path for root in roots for path in root.rglob("*.py"))
    return random.Random(3).sample(files, min(count, len(files)))


@pytest.mark.parametrize("count", [25, pytest.param(500, marks=pytest.mark.long)])
def test_real_modules_keep_their_names_and_every_call_in_its_place(count: int) -> None:
    files = sample_of_installed_modules(count)
    if not files:
        pytest.skip("neither SciPy nor pandas is installed")
    changed = 0
    for path in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = path.read_bytes()
            tree = ast.parse(source)
            plain = compile(source, str(path), "exec", dont_inherit=True)
            changed += transform(tree, lambda name: name not in sys.stdlib_module_names and name != "numpy")
            ours = compile(tree, str(path), "exec", dont_inherit=True)
        for (name, expected), (other, got) in zip(places(plain), places(ours), strict=True):
            assert name == other and expected <= got, (path, name)
    assert changed > count // 2


def test_lines_are_traced_in_the_same_order() -> None:
    tree = ast.parse(PLACES)
    transform(tree, FOREIGN.__contains__)

    def lines(code: CodeType) -> list[tuple[str, list[int]]]:
        result, last = [], None
        for _, _, line in code.co_lines():
            if line != last and line is not None:
                result.append(line)
            last = line
        return [(code.co_name, result), *(row for c in code.co_consts if isinstance(c, CodeType) for row in lines(c))]

    ours, plain = lines(compile(tree, "<test>", "exec")), lines(compile(PLACES, "<test>", "exec"))
    if sys.version_info >= (3, 13):  # there the compiler places an instruction of its own between a callee and its arguments
        assert [(name, set(found)) for name, found in ours] == [(name, set(found)) for name, found in plain]
    else:
        assert ours == plain


@pytest.mark.parametrize(
    "name",
    ["run.binding", "run.compare", "run.info", "run.options", "run.transform", "run.user_code", "run.verify", "report.totals"],
)
def test_the_examples_of_the_documentation_run(name: str) -> None:
    module = importlib.import_module(f"manycore.{name}")
    failed, tried = doctest.testmod(module)
    assert tried > 0 and failed == 0
