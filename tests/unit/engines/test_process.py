"""The process engine: whom a model runs as, what it may, how it ends, and that nothing stays."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.progress import Progress
from mlpack.engines.base import Limits
from mlpack.engines.process.account import Account, serving_account
from mlpack.engines.process.output import KeptOutput
from mlpack.engines.process.runner import report_lacking
from mlpack.engines.process.server import ProcessRunning, serve_bundle
from mlpack.engines.process.unpacked import PREFIX, unpacked
from mlpack.errors import EngineError, UnreadableModelError
from mlpack.readers.system_libraries import PACKAGES, read_elf, system_libraries
from tests.ports import free_port
from tests.shared_objects import elf, put
from tests.unit.engines.processes import PATIENCE_S, SERVE, bundle, is_gone, status_of, tells

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process engine knows Linux only")
LIMITS = Limits()
ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def python() -> Path:
    """A Python that the account which serves may run."""
    account = serving_account(LIMITS.user)
    places = (Path(sys.base_prefix) / "bin" / "python3", Path("/usr/bin/python3"), Path("/usr/local/bin/python3"))
    found = next((place for place in places if place.exists() and account.reaches(place)), None)
    if found is None:
        pytest.skip(f"no Python that user {account.uid} may run: {places}")
    return found


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for temporary files, open to all as /tmp is."""
    with tempfile.TemporaryDirectory(prefix="open-", dir="/tmp") as name:
        Path(name).chmod(0o1777)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def ends(running: ProcessRunning, *, patience_s: float = PATIENCE_S) -> bool:
    """Whether it ends by itself within the time, all its threads too."""
    end = time.monotonic() + patience_s
    while running.alive() and time.monotonic() < end:
        time.sleep(0.01)
    return not running.alive()


def test_it_serves_without_rights(python: Path) -> None:
    """User and group of the limits when root, no other group, no way back to rights, a session of its own."""
    with serve_bundle(bundle(), python, limits=LIMITS, env={}) as running:
        ids = tells(running.url, "[os.getuid(), os.getgid(), os.getgroups(), os.getsid(0), os.getpid()]")
        status = status_of(running.pid)
        assert status["NoNewPrivs"] == "1"
        assert ids[3:] == [running.pid, running.pid]
        if ROOT:
            assert ids[:3] == [65532, 65532, []]
            assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65532"}
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
            assert "Permission" in tells(running.url, "open('/etc/shadow').read()")


def test_its_limits(python: Path) -> None:
    """No core, few files, a bound on threads that leaves room beside what the user has already."""
    with serve_bundle(bundle(), python, limits=Limits(pids=64), env={}) as running:
        told = "[resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in ('CORE', 'NOFILE', 'NPROC')]"
        core, files, threads = tells(running.url, told)
        assert core == [0, 0]
        assert files[1] <= 4096
        assert 64 <= threads[0] == threads[1] < 100_000


def test_a_clean_environment(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of ours is inherited, no open file either; HOME and TMPDIR are its own and writable, the bundle is not."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("PYTHONPATH", "/tmp/canary")
    with serve_bundle(bundle(), python, limits=LIMITS, env={"GIVEN": "1"}) as running:
        environment = tells(running.url, "dict(os.environ)")
        assert "canary" not in str(environment)
        assert environment.pop("GIVEN") == "1"
        assert set(environment) <= {
            "PATH", "HOME", "TMPDIR", "LANG", "PORT", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH", "LC_CTYPE",
        }  # fmt: skip
        assert tells(running.url, "Path(os.environ['TMPDIR'], 'x').write_text('y')") == 1
        assert environment["HOME"] == environment["TMPDIR"]
        cwd = Path(tells(running.url, "os.getcwd()"))
        assert (cwd.name, cwd.parent) == ("app", Path(environment["HOME"]).parent)
        opened = tells(
            running.url,
            "[os.readlink(f'/proc/self/fd/{n}') for n in range(3, 64) if os.path.exists(f'/proc/self/fd/{n}')]",
        )
        assert all("socket:" in name or "/proc/" in name for name in opened), opened
        if ROOT:
            assert "Permission" in tells(running.url, "Path('serve.py').write_text('')")
            assert "Permission" in tells(running.url, "Path('new').mkdir()")


def test_loopback_only(python: Path) -> None:
    """The one socket that listens is on 127.0.0.1; another address of this machine is refused."""
    with serve_bundle(bundle(), python, limits=LIMITS, env={}) as running:
        tells(running.url, "1")
        port = int(running.url.rpartition(":")[2])
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = {row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")}
        assert listening == {f"0100007F:{port:04X}"}
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", port)) != 0


def test_two_at_once(python: Path, place: Path) -> None:
    """Two runs have their own ports, processes and folders; the end of one leaves the other answering."""
    with serve_bundle(bundle(), python, limits=LIMITS, env={}) as first:
        with serve_bundle(bundle(), python, limits=LIMITS, env={}) as second:
            assert first.url != second.url
            assert {tells(run.url, "os.getpid()") for run in (first, second)} == {first.pid, second.pid}
            assert len(list(place.iterdir())) == 2
        assert tells(first.url, "os.getpid()") == first.pid
        assert len(list(place.iterdir())) == 1
    assert not list(place.iterdir())


def test_a_port_of_ones_choice(python: Path) -> None:
    """`host_port` is the port; one that is taken is refused before anything starts."""
    port = free_port()
    with serve_bundle(bundle(), python, limits=LIMITS, env={}, host_port=port) as running:
        assert running.url == f"http://127.0.0.1:{port}"
        assert tells(running.url, "os.environ['PORT']") == str(port)
        with (
            pytest.raises(EngineError, match=str(port)),
            serve_bundle(bundle(), python, limits=LIMITS, env={}, host_port=port),
        ):
            pass


def test_stop_is_sigterm_first(python: Path) -> None:
    """A server that ends at SIGTERM tells its own exit code, and its log is whole; stopping again changes nothing."""
    serve = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(7)))\n" + SERVE
    with serve_bundle(bundle(serve), python, limits=LIMITS, env={}) as running:
        tells(running.url, "1")
        assert running.alive()
        ended = running.stop(grace_s=PATIENCE_S)
        assert (ended.code, ended.oom_killed) == (7, False)
        assert ended.seconds < PATIENCE_S
        assert not running.alive()
        assert running.stop(grace_s=PATIENCE_S) == ended
        assert running.logs().endswith("bye\n")


def test_stop_kills_what_does_not_end_and_all_it_started(python: Path) -> None:
    """A server deaf to SIGTERM is killed after the grace, with its children, also deaf."""
    serve = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE
    with serve_bundle(bundle(serve), python, limits=LIMITS, env={}) as running:
        child = tells(running.url, "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid")
        assert not is_gone(child, patience_s=0.1)
        ended = running.stop(grace_s=0.3)
        assert (ended.code, ended.oom_killed) == (137, False)
        assert is_gone(child)


def test_memory_is_told_and_held(python: Path) -> None:
    """The peak is the kernel's; a process that holds more than its limit is killed, and the exit says why."""
    limits = Limits(memory=120 * 1024**2)
    with serve_bundle(bundle(), python, limits=limits, env={}) as running:
        before = tells(running.url, "1") and running.stats().peak_memory
        assert before
        assert before < 60 * 1024**2
        tells(running.url, "len(globals().setdefault('kept', bytearray(b'x') * (50 * 1024**2)))")
        peak = running.stats().peak_memory
        assert peak
        assert peak - before > 45 * 1024**2
        with pytest.raises((OSError, http.client.HTTPException)):
            tells(running.url, "[bytearray(b'x') * (200 * 1024**2), time.sleep(20)]", patience_s=0.1)
        assert ends(running)
        ended = running.stop(grace_s=1)
        assert (ended.code, ended.oom_killed) == (137, True)


def test_a_server_that_does_not_start(python: Path) -> None:
    """What it wrote can be read; its end is seen."""
    with serve_bundle(bundle("raise SystemExit('no way')"), python, limits=LIMITS, env={}) as running:
        assert ends(running)
        assert running.stop(grace_s=1).code == 1
        assert running.logs() == "no way\n"


def test_nothing_stays(python: Path, place: Path) -> None:
    """An exception in the `with`, as Ctrl-C is one, leaves no process and no file, though the server is deaf."""
    serve = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE
    with pytest.raises(KeyboardInterrupt), serve_bundle(bundle(serve), python, limits=LIMITS, env={}) as running:  # noqa: PT012
        tells(running.url, "1")
        raise KeyboardInterrupt
    assert is_gone(running.pid)
    assert not list(place.iterdir())


def test_kill_9_of_the_parent(python: Path, place: Path) -> None:
    """The server ends with a parent that is killed; the next run takes its folder away and its own is not disturbed."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from mlpack.engines.process.server import serve_bundle; from mlpack.engines.base import Limits\n"
        "from tests.unit.engines.processes import bundle, tells\n"
        "with serve_bundle(bundle(), Path(sys.argv[1]), limits=Limits(), env={}) as running:\n"
        "    print(running.pid, tells(running.url, '1'), flush=True); time.sleep(600)\n"
    )
    root = Path(__file__).parents[3]
    parent = subprocess.Popen(
        [sys.executable, "-c", code, python], cwd=root, env={**os.environ, "TMPDIR": str(place)}, stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline().split()[0])
        parent.send_signal(signal.SIGKILL)
    assert is_gone(pid)
    [left] = place.iterdir()
    assert left.name.startswith(PREFIX)
    with serve_bundle(bundle(), python, limits=LIMITS, env={}):
        [now] = place.iterdir()
        assert now != left
        with serve_bundle(bundle(), python, limits=LIMITS, env={}):
            assert len(list(place.iterdir())) == 2


def test_the_folder_is_private(tmp_path: Path, place: Path) -> None:
    """What is unpacked is for the account alone; large files are copied, and checked on the way."""
    source = tmp_path / "model.pkl"
    source.write_bytes(b"m" * 3_000_000)
    large = BundleFile.of_bytes("model/model.pkl", source.read_bytes())
    large = BundleFile(name=large.name, size=large.size, sha256=large.sha256, source=source)
    account = serving_account(LIMITS.user)
    with unpacked(bundle(SERVE, large), account) as folder:
        assert folder.parent == place
        assert (folder / "app" / "model" / "model.pkl").read_bytes() == source.read_bytes()
        for path in folder.rglob("*"):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o007, path
            assert path.stat().st_gid == account.gid or path.name == "held"
    source.write_bytes(b"n" * 3_000_000)
    with pytest.raises(UnreadableModelError, match="while it was unpacked"), unpacked(bundle(SERVE, large), account):
        pass
    assert not list(place.iterdir())


def test_a_python_that_the_account_may_not_run(tmp_path: Path) -> None:
    """A start that fails is an error with a remedy, not a trace."""
    with (
        pytest.raises(EngineError, match="did not start") as raised,
        serve_bundle(bundle(), tmp_path / "none", limits=LIMITS, env={}),
    ):
        pass
    assert str(tmp_path) in raised.value.hint


@pytest.mark.skipif(not ROOT, reason="only root may make files of others")
def test_reach_follows_folders_and_links(tmp_path: Path) -> None:
    """A file is reached when every folder on the way lets the account through, through links too."""
    nobody = Account(uid=65532, gid=65532, dropped=True)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        file = folder / "sub" / "file"
        file.parent.mkdir()
        file.write_text("")
        file.chmod(0o644)
        assert not nobody.reaches(file)  # a temporary folder is its maker's own
        folder.chmod(0o711)
        file.parent.chmod(0o755)
        assert nobody.reaches(file)
        assert nobody.reaches(file.parent)
        assert not nobody.reaches(folder)  # to be entered, not listed
        file.chmod(0o640)
        assert not nobody.reaches(file)
        os.chown(file, 0, 65532)
        assert nobody.reaches(file)
        link = tmp_path / "link"
        link.symlink_to(file)
        assert not nobody.reaches(link)  # pytest's folder is its maker's own
        assert not nobody.reaches(folder / "missing")
    assert Account(uid=0, gid=0, dropped=False).reaches(tmp_path)


def test_kept_output_is_bounded() -> None:
    """Of endless output the end is kept."""
    with subprocess.Popen(
        [sys.executable, "-c", "for n in range(50000): print('line', n)"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        output = KeptOutput(process.stdout, most=10_000)
        process.wait()
        output.finish(PATIENCE_S)
    assert 9_000 < len(output.text()) <= 10_000
    assert output.text().endswith("line 49999\n")


def test_libraries_that_this_machine_lacks_are_told(tmp_path: Path) -> None:
    """An image would get them; here they are named with what needs them and how to install them."""
    told: list[Progress] = []
    machine = read_elf(Path(sys.executable).resolve())
    assert machine is not None
    known = next(name for name in PACKAGES if name not in system_libraries())
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    put(site, {"cv2/a.so": elf("libc.so.6", machine=machine.machine)})
    report_lacking(tmp_path, told.append)
    assert not told
    put(site, {"cv2/b.so": elf(known, "libfoo.so.2", machine=machine.machine)})
    report_lacking(tmp_path, told.append)
    assert [one.title for one in told] == [
        f"find system libraries: this machine lacks {name} (for cv2)" for name in (known, "libfoo.so.2")
    ]
    assert f"apt-get install {PACKAGES[known]}" in told[0].error
