"""The process engine through its own socket: states, signals, logs, and the answers clients depend on."""

import http.client
import json
import os
import shutil
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from localcloud.door import Door
from localcloud.engine import Engine
from localcloud.images import Image, find_image, load_images, save_images

PATH = os.environ["PATH"]
IMAGES = (
    Image(name="tropism/flows", env={"PATH": PATH, "FROM_IMAGE": "yes"}),
    Image(name="tropism/ports", env={"PATH": PATH}, entrypoint=("echo", "{port:9001}"), ports=("9001",)),
)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


@dataclass(frozen=True)
class Client:
    path: str

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = UnixConnection(self.path)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text and answer.status != 204 else None
        finally:
            connection.close()

    def create(self, *cmd: str, image: str = "tropism/flows:1", name: str = "", **body: Any) -> str:
        status, made = self.call("POST", f"/v1.43/containers/create?name={name}", {"Image": image, "Cmd": cmd, **body})
        assert status == 201, made
        return str(made["Id"])

    def run(self, *cmd: str, **body: Any) -> str:
        made = self.create(*cmd, **body)
        assert self.call("POST", f"/containers/{made}/start") == (204, None)
        return made

    def state(self, reference: str) -> dict[str, Any]:
        state: dict[str, Any] = self.call("GET", f"/containers/{reference}/json")[1]["State"]
        return state

    def logs(self, reference: str, query: str = "") -> str:
        connection = UnixConnection(self.path)
        try:
            connection.request("GET", f"/containers/{reference}/logs?stdout=1{query}")
            data, text = connection.getresponse().read(), b""
            while data:
                (length,) = struct.unpack(">xxxxL", data[:8])
                text, data = text + data[8 : 8 + length], data[8 + length :]
            return text.decode()
        finally:
            connection.close()


def alive(pid: int) -> bool:
    """A zombie nobody collected is dead."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Client]:
    folder = tempfile.mkdtemp()  # a unix path has 107 characters at most, pytest's own folders have more
    path = f"{folder}/engine.sock"
    engine = Engine(IMAGES, tmp_path / "containers", {"TROPISM_ENGINE": path})
    door = Door(path, engine)
    thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Client(path)
    door.shutdown()
    thread.join()
    door.server_close()
    engine.close()
    shutil.rmtree(folder)


def test_a_container_goes_from_created_to_running_to_exited_with_its_code(engine: Client) -> None:
    made = engine.create("sh", "-c", "sleep 0.3; exit 7")
    assert engine.state(made)["Status"] == "created"
    engine.call("POST", f"/containers/{made}/start")
    assert engine.state(made)["Status"] == "running"
    assert engine.call("POST", f"/containers/{made}/wait")[1] == {"StatusCode": 7}
    assert {"Status": "exited", "ExitCode": 7, "Running": False}.items() <= engine.state(made).items()


def test_starting_twice_starts_once(engine: Client) -> None:
    made = engine.run("sleep", "30")
    pid = engine.state(made)["Pid"]
    assert engine.call("POST", f"/containers/{made}/start")[0] == 304
    assert engine.state(made)["Pid"] == pid


def test_wait_sends_its_headers_before_the_exit(engine: Client) -> None:
    made = engine.run("sleep", "1")
    connection = UnixConnection(engine.path)
    asked = time.monotonic()
    connection.request("POST", f"/containers/{made}/wait")
    answer = connection.getresponse()
    headers_after = time.monotonic() - asked
    assert json.loads(answer.read()) == {"StatusCode": 0}
    assert headers_after < 0.7 < time.monotonic() - asked
    connection.close()


def test_a_stop_reports_the_signal_that_ended_the_process(engine: Client) -> None:
    made = engine.run("sleep", "30")
    assert engine.call("POST", f"/containers/{made}/stop?t=5")[0] == 204
    assert engine.state(made)["ExitCode"] == 143


def test_a_process_that_ignores_the_stop_is_killed_after_its_grace(engine: Client) -> None:
    made = engine.run("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    while engine.logs(made) != "ready\n":
        time.sleep(0.02)
    engine.call("POST", f"/containers/{made}/stop?t=1")
    assert engine.state(made)["ExitCode"] == 137


def test_a_kill_reaches_processes_that_left_the_session(engine: Client, tmp_path: Path) -> None:
    escaped = tmp_path / "pid"
    made = engine.run("sh", "-c", f"setsid sh -c 'echo $$ > {escaped}; exec sleep 60' & wait")
    while not escaped.exists() or not escaped.read_text():
        time.sleep(0.02)
    pid = int(escaped.read_text())
    assert alive(pid)
    engine.call("POST", f"/containers/{made}/kill")
    engine.call("POST", f"/containers/{made}/wait")
    assert not alive(pid)


def test_what_outlives_the_first_process_dies_with_its_container(engine: Client, tmp_path: Path) -> None:
    left = tmp_path / "pid"
    made = engine.run("sh", "-c", f"setsid sleep 60 & echo $! > {left}")
    engine.call("POST", f"/containers/{made}/wait")
    assert not alive(int(left.read_text()))


def test_an_unknown_image_is_not_found_anywhere(engine: Client) -> None:
    assert engine.call("POST", "/containers/create", {"Image": "nobody/nothing:1"})[0] == 404
    assert engine.call("GET", "/images/nobody/nothing:1/json")[0] == 404
    assert engine.call("POST", "/images/create?fromImage=nobody/nothing&tag=1")[0] == 404


def test_a_known_image_is_up_to_date(engine: Client) -> None:
    assert engine.call("POST", "/images/create?fromImage=tropism/flows&tag=1")[0] == 200
    reference = "000000000000.dkr.ecr.us-east-1.amazonaws.com/tropism/flows:1"
    assert engine.call("GET", f"/images/{reference}/json")[0] == 200


def test_logs_follow_until_the_exit(engine: Client) -> None:
    made = engine.run("sh", "-c", "echo one; sleep 0.3; echo two >&2")
    assert engine.logs(made, "&follow=1") == "one\ntwo\n"


def test_logs_keep_to_the_tail_and_to_the_time_asked_for(engine: Client) -> None:
    made = engine.run("sh", "-c", "echo one; sleep 0.4; echo two; echo three")
    time.sleep(0.2)
    middle = time.time()
    engine.call("POST", f"/containers/{made}/wait")
    assert engine.logs(made, "&tail=1") == "three\n"
    assert engine.logs(made, f"&since={middle}") == "two\nthree\n"
    assert engine.logs(made, f"&since={time.time() + 60}") == ""


def test_the_environment_is_the_image_and_the_container_and_nothing_inherited(
    engine: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_THE_SHELL", "leaked")
    made = engine.run("env", Env=["MINE=a=b", "URL=http://host.docker.internal:1"])
    engine.call("POST", f"/containers/{made}/wait")
    env = dict(line.split("=", 1) for line in engine.logs(made).splitlines())
    assert {"FROM_IMAGE": "yes", "MINE": "a=b", "URL": "http://127.0.0.1:1"}.items() <= env.items()
    assert "FROM_THE_SHELL" not in env


def test_a_port_placeholder_becomes_the_host_port(engine: Client) -> None:
    made = engine.run(image="tropism/ports")
    engine.call("POST", f"/containers/{made}/wait")
    ports = engine.call("GET", f"/containers/{made}/json")[1]["NetworkSettings"]["Ports"]
    assert engine.logs(made) == ports["9001/tcp"][0]["HostPort"] + "\n"


def test_a_command_that_does_not_exist_is_refused_and_exits_with_127(engine: Client) -> None:
    made = engine.create("no-such-command")
    assert engine.call("POST", f"/containers/{made}/start")[0] == 400
    assert engine.state(made)["ExitCode"] == 127


def test_a_name_is_used_once_and_free_again_after_removal(engine: Client) -> None:
    made = engine.create("true", name="one")
    body = {"Image": "tropism/flows", "Cmd": ["true"]}
    assert engine.call("POST", "/containers/create?name=one", body)[0] == 409
    assert engine.call("DELETE", f"/containers/{made}")[0] == 204
    assert engine.call("POST", "/containers/create?name=one", body)[0] == 201


def test_a_running_container_is_removed_by_force_only(engine: Client) -> None:
    made = engine.run("sleep", "30")
    pid = engine.state(made)["Pid"]
    assert engine.call("DELETE", f"/containers/{made}")[0] == 409
    assert engine.call("DELETE", f"/containers/{made}?force=1&v=1")[0] == 204
    assert not alive(pid)
    assert engine.call("GET", f"/containers/{made}/json")[0] == 404


def test_the_listing_filters_by_label(engine: Client) -> None:
    made = engine.create("true", Labels={"ministack": "ecs", "boot": "1"})
    engine.create("true", Labels={"ministack": "lambda"})
    filters = json.dumps({"label": ["ministack=ecs", "boot"]})
    assert [one["Id"] for one in engine.call("GET", f"/containers/json?all=1&filters={quote(filters)}")[1]] == [made]
    assert engine.call("GET", "/containers/json")[1] == []


def test_what_is_not_implemented_says_so(engine: Client) -> None:
    status, answer = engine.call("POST", "/containers/x/exec")
    assert (status, answer) == (501, {"message": "the process engine does not implement POST /containers/x/exec"})


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("tropism/flows", "tropism/flows"),
        ("tropism/flows:1", "tropism/flows"),
        ("host:5000/tropism/flows:1", "tropism/flows"),
        ("host:5000/tropism/flows@sha256:abc", "tropism/flows"),
        ("tropism/flows-gpu:1", None),
        ("nottropism/flows", None),
        ("flows", None),
    ],
)
def test_a_reference_names_an_image_by_its_repository(reference: str, expected: str | None) -> None:
    found = find_image(IMAGES, reference)
    assert (found.name if found else None) == expected


def test_the_image_table_survives_the_file(tmp_path: Path) -> None:
    save_images(tmp_path / "images.json", IMAGES)
    assert load_images(tmp_path / "images.json") == IMAGES


def test_a_table_with_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images.json").write_text('[{"name": "a", "evn": {}}]')
    with pytest.raises(ValueError, match="entry 0 is not an image"):
        load_images(tmp_path / "images.json")
