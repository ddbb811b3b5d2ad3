"""Prefect's server collects its garbage beside the event loop."""

import subprocess
import sys

from localcloud.address import REPO

CYCLE = """
import gc, threading, time, weakref
from localcloud import orchestrator
orchestrator._YOUNG_SECONDS = 0.01
class Node: pass
where = []
def leave():
    node = Node()
    node.me = node
    weakref.finalize(node, lambda: where.append(threading.current_thread().name))
{begin}
for _ in range(3000):
    leave()
deadline = time.monotonic() + 10
while len(where) < 3000 and time.monotonic() < deadline:
    time.sleep(0.01)
    {nudge}
print(sorted(set(where)), len(where))
"""


def collected(begin: str, nudge: str) -> str:
    code = CYCLE.format(begin=begin, nudge=nudge)
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_garbage_is_collected_in_a_thread_of_its_own_and_nowhere_else() -> None:
    assert collected("orchestrator.collect_beside()", "pass") == "['garbage'] 3000"


def test_without_it_the_thread_that_asks_for_memory_collects() -> None:
    assert collected("pass", "leave() if len(where) < 3000 else None; gc.collect()").startswith("['MainThread']")


def test_the_command_line_is_prefects_own() -> None:
    command = [sys.executable, "-m", "localcloud.orchestrator", "server", "start", "--help"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    assert "Start a Prefect server instance" in done.stdout
