"""Lines on disk on their way elsewhere."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localcloud.address import REPO
from localcloud.patches.spool import Spool, Target

FLIGHTS = Target("000000000000", "us-east-1", "tropism-predictions-flights")
OTHER = Target("000000000000", "us-east-1", "..")


def kept(spool: Spool, target: Target = FLIGHTS) -> list[bytes]:
    return [line for segment in spool.segments(target) for line in segment.lines()]


def test_lines_are_kept_apart_by_target_and_forgotten_when_they_have_arrived(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert spool.targets() == []
    for number in range(3):
        spool.append(FLIGHTS, b"%d" % number)
    spool.append(OTHER, b"x")
    assert spool.targets() == [OTHER, FLIGHTS]
    assert (kept(spool), kept(spool, OTHER)) == ([b"0", b"1", b"2"], [b"x"])
    for segment in spool.segments(FLIGHTS):
        spool.remove(segment)
        spool.remove(segment)
    assert spool.targets() == [OTHER]
    assert [path.name for path in tmp_path.iterdir()] == ["spool"]


def test_a_segment_handed_out_grows_no_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(FLIGHTS, b"1")
    (first,) = spool.segments(FLIGHTS)
    spool.append(FLIGHTS, b"2")
    assert first.lines() == [b"1"]
    assert [segment.lines() for segment in spool.segments(FLIGHTS)] == [[b"1"], [b"2"]]
    assert abs(first.opened - time.time()) < 60


def test_a_segment_is_never_larger_than_promised_by_more_than_a_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=1_000)
    for _ in range(100):
        spool.append(FLIGHTS, b"x" * 99)
    assert max(segment.path.stat().st_size for segment in spool.segments(FLIGHTS)) == 1_000
    assert len(kept(spool)) == 100


def test_many_writers_and_a_reader_lose_and_repeat_nothing(tmp_path: Path) -> None:
    spool, arrived = Spool(tmp_path, segment_bytes=500), []
    ended = threading.Event()

    def deliver() -> None:
        while not ended.is_set() or spool.targets():
            spool.wait(0.01)
            for target in spool.targets():
                for segment in spool.segments(target):
                    arrived.extend(segment.lines())
                    spool.remove(segment)

    courier = threading.Thread(target=deliver)
    courier.start()
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(lambda number: spool.append(FLIGHTS, b"%d" % number), range(2_000)))
    ended.set()
    courier.join(30)
    assert sorted(map(int, arrived)) == list(range(2_000))


KILLED = """
import sys
from pathlib import Path
from localcloud.patches.spool import Spool, Target
spool, number = Spool(Path(sys.argv[1]), segment_bytes=2_000), 0
while True:
    number += 1
    spool.append(Target("1", "r", "s"), b"%d " % number + b"x" * (number % 300))
    print(number, flush=True)
"""


def test_a_process_killed_at_any_moment_loses_no_line_it_went_on_after(tmp_path: Path) -> None:
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        command = [sys.executable, "-c", KILLED, str(folder)]
        with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(50 + 37 * attempt)]
            process.send_signal(signal.SIGKILL)
            told += [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        last = len(told)
        found = [int(line.split()[0]) for line in kept(Spool(folder), Target("1", "r", "s"))]
        assert found[:last] == list(range(1, last + 1))
        assert len(found) - last <= 1


def test_a_line_cut_off_by_death_is_no_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(FLIGHTS, b"whole")
    (segment,) = spool.segments(FLIGHTS)
    segment.path.write_bytes(b"whole\n{half")
    assert kept(Spool(tmp_path)) == [b"whole"]


def test_a_full_disk_is_an_error_and_leaves_no_half_line(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from localcloud.patches.spool import Spool, Target\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "spool, target = Spool(Path(sys.argv[1])), Target('1', 'r', 's')\n"
        "spool.append(target, b'first')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20, resource.RLIM_INFINITY))\n"
        "for line in (b'x' * 50, b'y' * 100):\n"
        "    try:\n"
        "        spool.append(target, line)\n"
        "    except OSError as error:\n"
        "        print('refused')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "spool.append(target, b'second')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("refused\nrefused\n", "")
    assert kept(Spool(tmp_path), Target("1", "r", "s")) == [b"first", b"second"]


def test_what_is_a_day_old_is_named_even_while_it_is_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(FLIGHTS, b"old")
    assert spool.expired(FLIGHTS, time.time() - 60) == []
    (path,) = (tmp_path / FLIGHTS.folder).iterdir()
    os.utime(path, (1, 1))
    (segment,) = spool.expired(FLIGHTS, time.time() - 60)
    spool.append(FLIGHTS, b"new")
    spool.remove(segment)
    assert kept(spool) == [b"new"]


@pytest.mark.parametrize("appended", [True, False])
def test_waiting_ends_with_the_next_line_or_with_its_time(tmp_path: Path, *, appended: bool) -> None:
    spool = Spool(tmp_path)
    if appended:
        spool.append(FLIGHTS, b"1")
    begun = time.monotonic()
    spool.wait(30.0 if appended else 0.05)
    assert time.monotonic() - begun < 20
    begun = time.monotonic()
    spool.wait(0.05)
    assert time.monotonic() - begun >= 0.04
