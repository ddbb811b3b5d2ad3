"""Prefect's server collects its garbage beside the event loop."""

import subprocess
import sys
from pathlib import Path

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


RACE = """
import asyncio, pathlib, sys
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy import text
from localcloud import orchestrator
{begin}
async def main():
    configuration = AioSqliteConfiguration("sqlite+aiosqlite:///" + sys.argv[1])
    engine = await configuration.engine()
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE counted (number INTEGER)"))
        await connection.execute(text("INSERT INTO counted VALUES (0)"))
    async def count():
        async with await configuration.session(engine) as session, configuration.begin_transaction(session):
            number = (await session.execute(text("SELECT number FROM counted"))).scalar_one()
            await asyncio.sleep(0.05)
            await session.execute(text("UPDATE counted SET number = :number"), {{"number": number + 1}})
    ends = await asyncio.gather(*(count() for _ in range(4)), return_exceptions=True)
    async with await configuration.session(engine) as session:
        number = (await session.execute(text("SELECT number FROM counted"))).scalar_one()
    print(number, sum("database is locked" in str(end) for end in ends))
    await engine.dispose()
asyncio.run(main())
"""


def raced(begin: str, folder: Path) -> str:
    command = [sys.executable, "-c", RACE.format(begin=begin), str(folder / "race.db")]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout.strip()


def test_transactions_that_read_and_then_write_wait_for_each_other(tmp_path: Path) -> None:
    assert raced("assert orchestrator.lock_at_begin()", tmp_path) == "4 0"


def test_without_it_all_but_one_of_them_are_refused(tmp_path: Path) -> None:
    assert raced("", tmp_path) == "1 3"


def test_the_command_line_is_prefects_own() -> None:
    command = [sys.executable, "-m", "localcloud.orchestrator", "server", "start", "--help"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    assert "Start a Prefect server instance" in done.stdout
