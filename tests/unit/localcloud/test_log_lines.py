"""What a function wrote before its answer is read before its answer; run where ministack is installed."""

import subprocess

from localcloud.address import REPO
from localcloud.install import install

WRITER = """
import os, queue, subprocess, sys, threading
from localcloud.patches.log_lines import KEPT_STREAMS, Pipe, oldest
CHILD = '''
import os, sys
for line in sys.stdin:
    count = int(line)
    for number in range(count):
        os.write(1, (f"{number} " + "x" * 997 + chr(10)).encode())
    os.write(2, b"!")
'''
child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=-1, stdout=-1, stderr=-1)
pipe = Pipe(child.stdout.fileno(), queue.Queue(maxsize=10_000))
thread = threading.Thread(target=pipe.run)
thread.start()
for count in [1, 0, 3, 500, 1, 0, 200] * 20:
    child.stdin.write(b"%d\\n" % count)
    child.stdin.flush()
    assert child.stderr.read(1) == b"!"
    pipe.empty()
    lines = []
    while not pipe.lines.empty():
        lines.append(int(pipe.lines.get().split()[0]))
    assert lines == list(range(count)), (count, lines)
child.stdin.close()
thread.join(10)
assert not thread.is_alive()
pipe.empty()

ended, end = os.pipe()
os.write(end, "caf\\u00e9\\r\\nhalf".encode())
os.close(end)
small = Pipe(ended, queue.Queue(maxsize=3))
small.run()
assert [small.lines.get() for _ in range(2)] == ["caf\\u00e9", "half"]

full, end = os.pipe()
os.write(end, b"1\\n2\\n3\\n4\\n5\\n")
os.close(end)
small = Pipe(full, queue.Queue(maxsize=3))
small.run()
assert [small.lines.get() for _ in range(3)] == ["3", "4", "5"]

names = [f"2026/03/01/[3]{number:032x}" for number in range(KEPT_STREAMS + 3)]
assert oldest(dict.fromkeys(["mine", *names])) == names[:3]
assert oldest(dict.fromkeys(names[:KEPT_STREAMS])) == []
"""


def test_every_line_written_before_is_there_and_nobody_waits_for_more() -> None:
    done = subprocess.run([str(install()), "-c", WRITER], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
