"""The fork server in programs that close, ignore, collect, change or kill what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import manycore
import pytest
from test_fork_server import BEGIN, told
from test_run_program import write

pytestmark = pytest.mark.slow  # a program for each case


def test_functions_that_workers_would_not_find_or_whose_results_are_kept_have_the_program_forked(tmp_path: Path) -> None:
    write(tmp_path, "file.py", "def of_a_file():\n    return 7\n")
    lines = told(f"""
import functools, importlib.util, threading
@functools.lru_cache(maxsize=None)
def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
def uses_it(n): return fibonacci(n) + 1
class Failure(Exception): pass
def fails(): raise Failure("here")
spec = importlib.util.spec_from_file_location("made", {str(tmp_path / "file.py")!r})
made = sys.modules["made"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
def uses_made(): return made.of_a_file()
for fn, arguments in (fibonacci, [20]), (uses_it, [20]), (made.of_a_file, []), (uses_made, []), (fails, []):
    with Executor(2, processes="allowed") as executor:
        try:
            print(call(executor, fn, *arguments), start_method(executor))
        except Failure as failure:
            print(failure, start_method(executor))
""")
    assert lines == ["6765 fork", "6766 fork", "7 fork", "7 fork", "here server"]


def test_modules_are_those_that_the_program_has_even_where_its_path_has_changed(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "shadowed.py", f"def which():\n    return {folder!r}\n")
    lines = told(f"""
sys.path.insert(0, {str(tmp_path / "first")!r})
executor = Executor(2, processes="allowed")
wait_until_warm(executor)
sys.path.insert(0, {str(tmp_path / "second")!r})
import pathlib, shadowed
sys.path.append(pathlib.Path("/not/a/string"))
for _ in range(2):
    with executor:
        print(shadowed.which(), call(executor, shadowed.which), start_method(executor))
    executor = Executor(2, processes="allowed")
executor.shutdown()
""")
    assert lines == ["second second server"] * 2


def test_what_modules_print_and_read_when_they_are_imported_is_not_printed_or_read_again(tmp_path: Path) -> None:
    write(
        tmp_path,
        "talks.py",
        "import sys\nprint('printed')\nprint('of errors', file=sys.stderr)\nread = sys.stdin.readline()\n"
        "def what_was_read():\n    return read\n",
    )
    program = f"""{BEGIN}
sys.path.insert(0, {str(tmp_path)!r})
import talks
with Executor(2, processes="allowed") as executor:
    wait_until_warm(executor)
    time.sleep(0.2)
    call(executor, talks.what_was_read)
    print(start_method(executor), talks.read.strip(), sys.stdin.readline().strip())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], input="one\ntwo\n", capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("printed\nserver one two\n", "of errors\n")


def test_a_module_that_ends_the_server_is_left_to_workers(tmp_path: Path) -> None:
    write(tmp_path, "ends.py", "import os\nif os.getppid() == int(os.environ['PROGRAM']):\n    os._exit(4)\n")
    lines = told(f"""
os.environ["PROGRAM"] = "-1"
sys.path.insert(0, {str(tmp_path)!r})
import ends
os.environ["PROGRAM"] = str(os.getpid())  # whose child the server is

with Executor(2, processes="allowed") as executor:
    wait_until_warm(executor)
    time.sleep(0.2)
    print(call(executor, abs, -1), start_method(executor), server().has_failed, wait_until_none_is_left(executor))
""")
    assert lines == ["1 server True []"]


def test_a_program_whose_folder_was_deleted_and_that_has_many_arguments() -> None:
    lines = told("""
import tempfile
folder = tempfile.mkdtemp()
os.chdir(folder)
os.rmdir(folder)
sys.argv += ["an argument" * 100] * 1000
def look():
    try:
        return len(sys.argv), os.getcwd()
    except FileNotFoundError:
        return len(sys.argv)
with Executor(2, processes="allowed") as executor:
    print(call(executor, look) == len(sys.argv), start_method(executor))
""")
    assert lines == ["True server"]


@pytest.mark.parametrize("closed", [(0,), (1, 2), (0, 1, 2)])
def test_standard_streams_that_are_closed(tmp_path: Path, closed: tuple[int, ...]) -> None:
    program = f"""
import os
for number in {closed}:
    os.close(number)
{BEGIN}
def look():
    return os.getppid()
with open({str(tmp_path / "out")!r}, "w") as out:
    for _ in range(2):
        with Executor(2, processes="allowed") as executor:
            print(call(executor, look) == os.getpid(), start_method(executor), file=out)
"""
    done = subprocess.run([sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text().splitlines() == ["True server"] * 2


@pytest.mark.parametrize(
    "collects",
    [
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        "signal.signal(signal.SIGCHLD, lambda *_: collect(os.WNOHANG))",
        "threading.Thread(target=lambda: [collect(0) or time.sleep(0.001) for _ in iter(int, 1)], daemon=True).start()",
    ],
)
def test_a_program_that_ignores_or_collects_its_children(collects: str) -> None:
    lines = told(f"""
import threading
def collect(how):
    try:
        while os.waitpid(-1, how)[0]:
            pass
    except ChildProcessError:
        pass
{collects}
def die():
    os._exit(3)
def handler():
    return signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
for _ in range(2):
    with Executor(2, processes="allowed") as executor:
        print(call(executor, os.getppid) == os.getpid(), start_method(executor), end=" ")
        try:
            call(executor, die)
        except WorkerDied as error:
            print(error.exit_code in (None, 3), end=" ")
        print(call(executor, os.getppid) == os.getpid(), call(executor, handler) == handler())
""")
    assert lines == ["True server True True True"] * 2


def test_killed_anywhere_around_it_calls_are_answered_and_no_process_is_left() -> None:
    lines = told("""
import random, threading
ended = threading.Event()
def kill():
    chance = random.Random(5)
    while not ended.wait(chance.random() * 0.01):
        around = [server().pid, *below(server().pid)] if server().pid > 0 else []
        for pid in chance.sample(around, min(len(around), chance.choice([0, 1, 1, 2, 3]))):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.15)
killer = threading.Thread(target=kill)
killer.start()
failed = []
for turn in range(40):
    with Executor(2, processes="allowed") as executor:
        try:
            if call(executor, os.getpid) == os.getpid():
                failed.append("in the program")
        except (OSError, WorkerDied) as error:  # killed again and again
            failed.append(error)
    executor._shared.process_pool.shutdown()
ended.set()
killer.join()
print(len(failed) < 10, wait_until_none_is_left(), failed)
""")
    assert lines[0].startswith("True []"), lines


def test_a_worker_in_store_that_is_killed_after_the_process_between_while_the_server_is_asked_is_collected() -> None:
    lines = told("""
import threading
with Executor(2, processes="allowed") as executor:
    call(executor, abs, -1)
while len(below(server().pid)) != 2:
    time.sleep(0.01)
whole = between, store = below(server().pid)
whole.append(server().pid)
for pid in whole:
    os.kill(pid, signal.SIGSTOP)
def kill():
    time.sleep(0.3)  # until the program asks
    for pid in (between, store):
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    os.kill(whole[-1], signal.SIGCONT)
threading.Thread(target=kill).start()
with Executor(2, processes="allowed") as executor:
    print(call(executor, os.getppid) == os.getpid(), whole[-1] == server().pid, wait_until_none_is_left(executor))
""")
    assert lines == ["True True []"]


def test_an_interrupt_while_the_server_is_asked_leaves_no_process() -> None:
    lines = told("""
import threading
with Executor(2, processes="allowed") as executor:
    call(executor, abs, -1)
def interrupt():
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)  # to the first thread, which waits
    time.sleep(late)
    for pid in stopped:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass
for all_of_it, late in (False, 0.1), (True, 0.1), (False, 0.0), (True, 0.0):  # alone: the worker is there already
    with Executor(2, processes="allowed") as executor:
        wait_until_warm(executor)
        server().start()
        while len(below(server().pid)) != 2:
            time.sleep(0.01)
        stopped = [server().pid, *(below(server().pid) if all_of_it else [])]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        threading.Thread(target=interrupt).start()
        try:
            call(executor, abs, -1)
        except KeyboardInterrupt:
            print("interrupted", end=" ")
        print(call(executor, abs, -2), wait_until_none_is_left(executor))
""")
    assert lines == ["interrupted 2 []"] * 4


def test_an_interrupt_while_the_server_starts_does_not_end_it() -> None:
    lines = told("""
executor = Executor(2, processes="allowed")
asked = 0
while executor._shared.warming and asked < 200:
    for pid in below(os.getpid()):
        try:
            os.kill(pid, signal.SIGINT)
            asked += 1
        except ProcessLookupError:
            pass
print(asked > 0, server().ready, call(executor, abs, -1), start_method(executor))
executor.shutdown()
""")
    assert lines == ["True True 1 server"]


def test_the_server_has_the_programs_package_and_options(tmp_path: Path) -> None:
    """Isolated, where the environment's path is not looked at; and as a module of a package."""
    folder = str(Path(manycore.__file__).parents[1])
    text = f"import sys\nsys.path.insert(0, {folder!r})\n{BEGIN}\nimport manycore\ndef look():\n    import manycore\n"
    text += "    return sys.flags.isolated, manycore.__file__\n"
    text += (
        "with Executor(2, processes='allowed') as executor:\n    print(call(executor, look) == look(), start_method(executor))\n"
    )
    program = write(tmp_path, "program.py", text)
    for arguments in (["-I", program], ["-O", program], ["-m", "program"]):
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert (done.stdout, done.stderr) == ("True server\n", "")


def test_an_unguarded_program_runs_once_and_an_interactive_one_works(tmp_path: Path) -> None:
    text = f"{BEGIN}\nprint('runs')\ndef double(x): return 2 * x\nexecutor = Executor(2, processes='allowed')\n"
    text += "print(call(executor, double, 4), start_method(executor))\nexecutor.shutdown()\n"
    program = write(tmp_path, "unguarded.py", text)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("runs\n8 server\n", "", 0)
    piped = subprocess.run([sys.executable, "-"], input=text, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert (piped.stdout, piped.stderr) == ("runs\n8 server\n", "")
    typed = "exec(" + repr(BEGIN) + ")\n" + text[len(BEGIN) :].replace("return 2 * x\n", "return 2 * x\n\n")
    session = subprocess.run([sys.executable, "-i"], input=typed, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert session.stdout == "runs\n8 server\n", session.stderr


def test_whoever_of_it_is_killed_no_process_is_left() -> None:
    """The server, the process between, or the one in store."""
    for which in range(3):
        lines = told(f"""
with Executor(2, processes="allowed") as executor:
    call(executor, abs, -1)
while len(below(server().pid)) != 2:
    time.sleep(0.01)
os.kill([server().pid, *below(server().pid)][{which}], signal.SIGKILL)
with Executor(2, processes="allowed") as executor:
    print(call(executor, os.getppid) == os.getpid(), start_method(executor), wait_until_none_is_left(executor))
""")
        assert lines == ["True server []"], which


def test_a_module_that_waits_for_the_program_is_left_to_workers(tmp_path: Path) -> None:
    write(
        tmp_path,
        "waits.py",
        "import fcntl\nheld = open(__file__)\nfcntl.flock(held, fcntl.LOCK_EX)\n",  # until the program ends
    )
    lines = told(f"""
sys.path.insert(0, {str(tmp_path)!r})
import waits
from manycore.futures import server_keeper
server_keeper._ANSWER_SECONDS = 0.5
with Executor(2, processes="allowed") as executor:
    wait_until_warm(executor)
    time.sleep(0.1)
    print(call(executor, abs, -1), start_method(executor), server().has_failed)
""")
    assert lines == ["1 server True"]


def test_what_processes_inherit_is_the_programs_of_the_moment() -> None:
    lines = told("""
import resource
def look():
    mask = os.umask(0)
    os.umask(mask)
    return mask, resource.getrlimit(resource.RLIMIT_CORE), len(os.sched_getaffinity(0)), os.nice(0), os.getpgid(0) == os.getpgid(os.getppid())
def change_mask(): os.umask(0o027)
def change_limit(): resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
def change_cores(): os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
def change_niceness(): os.nice(1)
def change_group(): os.setpgid(0, 0)
with Executor(2, processes="allowed") as executor:
    call(executor, abs, -1)
for change in (change_mask, change_limit, change_cores, change_niceness, change_group):
    before, first = look(), server().pid
    change()
    with Executor(2, processes="allowed") as executor:
        print(call(executor, look) == look() != before, start_method(executor), server().pid != first, wait_until_none_is_left(executor))
""")
    assert lines == ["True server True []"] * 4 + ["False server True []"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
def test_workers_of_a_program_that_gives_up_its_rights_have_none() -> None:
    lines = told("""
def rights():
    return os.getresuid(), os.getresgid(), os.getgroups()
with Executor(2, processes="allowed") as executor:
    print(call(executor, rights)[0])
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
with Executor(2, processes="allowed") as executor:
    print(call(executor, rights), start_method(executor), wait_until_none_is_left(executor))
""")
    assert lines[0] == "(0, 0, 0)"
    assert lines[1] in (f"((65534, 65534, 65534), (65534, 65534, 65534), []) {how} []" for how in ("server", "fork"))


def test_a_system_that_starts_no_server_has_the_program_forked() -> None:
    lines = told("""
import multiprocessing
multiprocessing.set_executable("/does/not/exist")
with Executor(2, processes="allowed") as executor:
    print(call(executor, os.getppid) == os.getpid(), start_method(executor))
multiprocessing.set_executable(sys.executable)
with Executor(2, processes="allowed") as executor:
    print(call(executor, os.getppid) == os.getpid(), start_method(executor))
    server().socket.close()
    with Executor(2, processes="allowed") as another:
        print(call(another, os.getppid) == os.getpid(), start_method(another))
""")
    assert lines == ["True fork", "True server", "True server"]
