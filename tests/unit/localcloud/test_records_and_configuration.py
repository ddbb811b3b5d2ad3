import configparser
import json
import os
import shlex
import socket
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from lifecycle.errors import LocalCloudError, UsageError
from localcloud import health
from localcloud.address import Home, LocalCloud, find, load, save, settle
from localcloud.down import down
from localcloud.services import images, services
from localcloud.sources import digest
from localcloud.supervision import configuration


@pytest.fixture
def cloud(tmp_path: Path) -> LocalCloud:
    return LocalCloud(instance="0123abcd", home=Home(path=tmp_path), emulator_port=4001, prefect_port=4002)


def test_the_record_survives_the_file(cloud: LocalCloud) -> None:
    save(cloud)
    assert load(cloud.home) == cloud


def test_no_record_says_which_command_makes_one(tmp_path: Path) -> None:
    assert find(Home(path=tmp_path)) is None
    with pytest.raises(LocalCloudError, match="Run: tropism up"):
        load(Home(path=tmp_path))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version": 2}', "\x00"])
def test_a_record_that_is_none_says_which_file_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "local.json").write_text(text)
    with pytest.raises(LocalCloudError, match=r"local\.json is not a record of a local cloud"):
        load(Home(path=tmp_path))


def test_ports_asked_for_win_and_the_others_are_remembered(cloud: LocalCloud) -> None:
    save(cloud)
    settled = settle(cloud.home, {"TROPISM_PREFECT_PORT": "4200"})
    assert (settled.instance, settled.emulator_port, settled.prefect_port) == ("0123abcd", 4001, 4200)


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "4200.5"])
def test_a_port_that_is_none_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=f"TROPISM_PREFECT_PORT is no port: found '{text}'"):
        settle(Home(path=tmp_path), {"TROPISM_PREFECT_PORT": text})


def test_ports_nobody_asked_for_are_free_and_different(tmp_path: Path) -> None:
    settled = settle(Home(path=tmp_path), {})
    assert settled.emulator_port != settled.prefect_port
    for port in (settled.emulator_port, settled.prefect_port):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))


def test_a_taken_port_is_one_clear_sentence(cloud: LocalCloud) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = cloud.model_copy(update={"prefect_port": holder.getsockname()[1]})
        with pytest.raises(LocalCloudError) as caught:
            health.require_port(taken, "prefect")
    assert str(caught.value).startswith(
        f"Port {taken.prefect_port}, which the Prefect server needs, is taken. Process "
    )
    assert "TROPISM_PREFECT_PORT=… tropism up" in str(caught.value)


def test_a_port_that_a_dying_process_still_holds_is_waited_for(cloud: LocalCloud) -> None:
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.listen()
    leaving = threading.Timer(0.3, holder.close)
    leaving.start()
    health.require_port(cloud.model_copy(update={"prefect_port": holder.getsockname()[1]}), "prefect")
    leaving.join()


def test_a_free_port_and_a_service_without_one_are_no_complaint(tmp_path: Path) -> None:
    settled = settle(Home(path=tmp_path), {})
    for service in ("engine", "emulator", "prefect", "worker-ecs"):
        health.require_port(settled, service)


def test_the_same_cloud_gives_the_same_configuration(cloud: LocalCloud) -> None:
    assert configuration(cloud, services(cloud)) == configuration(cloud, services(cloud))


def test_every_service_is_configured_to_be_restarted_and_logged_and_started_by_nobody_else(cloud: LocalCloud) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(configuration(cloud, services(cloud)))
    for service in services(cloud):
        section = parser[f"program:{service.name}"]
        assert (section["autostart"], section["autorestart"]) == ("false", "true")
        assert section["stdout_logfile"] == str(cloud.home.logs / f"{service.name}.log")
        assert tuple(shlex.split(section["command"])) == service.command


def test_a_percent_sign_in_a_path_is_not_an_expansion(cloud: LocalCloud) -> None:
    odd = cloud.model_copy(update={"home": Home(path=cloud.home.path / "100%")})
    assert "100%%/logs" in configuration(odd, services(odd))


def test_a_quote_in_a_path_is_refused_before_anything_starts(cloud: LocalCloud) -> None:
    odd = cloud.model_copy(update={"home": Home(path=cloud.home.path / 'a"b')})
    with pytest.raises(LocalCloudError, match="double quote"):
        configuration(odd, services(odd))


def test_services_inherit_nothing_and_all_carry_the_mark(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    for service in services(cloud):
        assert service.environment["TROPISM_INSTANCE"] == "0123abcd"
        assert "AWS_PROFILE" not in service.environment


def test_workers_get_addresses_and_dummy_keys_and_no_setting_of_the_server(cloud: LocalCloud) -> None:
    for service in services(cloud):
        if service.name.startswith("worker-"):
            prefect = {name for name in service.environment if name.startswith("PREFECT_")}
            assert prefect == {"PREFECT_API_URL", "PREFECT_WORKER_QUERY_SECONDS"}
            assert service.environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4001"


def test_everything_listens_on_this_machine_only(cloud: LocalCloud) -> None:
    by_name = {service.name: service for service in services(cloud)}
    assert by_name["emulator"].environment["BIND_HOST"] == "127.0.0.1"
    assert "--host 127.0.0.1" in " ".join(by_name["prefect"].command)
    assert "inet_http_server" not in configuration(cloud, services(cloud))


def test_a_long_home_gets_its_sockets_elsewhere(cloud: LocalCloud) -> None:
    deep = cloud.model_copy(update={"home": Home(path=cloud.home.path / ("x" * 120))})
    assert len(str(deep.sockets)) < 60
    assert cloud.sockets == cloud.home.run


def test_images_bring_their_own_environment_and_no_address_of_prefect(cloud: LocalCloud) -> None:
    for image in images(cloud, Path("/rie")):
        assert image.env["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4001"
        assert "PREFECT_API_URL" not in image.env


def test_the_environment_for_clients_names_every_place(cloud: LocalCloud) -> None:
    env = cloud.environment()
    assert env["PREFECT_API_URL"] == "http://127.0.0.1:4002/api"
    assert env["MLFLOW_TRACKING_URI"] == f"sqlite:///{cloud.home.path}/mlflow.db"
    assert env["TROPISM_BUCKET"] == "tropism-local"
    assert json.dumps(env)


def test_a_digest_tells_contents_and_names_apart_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.py").write_text("1")
    first = digest(["a"], tmp_path)
    (tmp_path / "a" / "x.pyc").write_text("compiled")
    assert digest(["a"], tmp_path) == first
    (tmp_path / "a" / "x.py").rename(tmp_path / "a" / "y.py")
    assert digest(["a"], tmp_path) != first
    (tmp_path / "a" / "y.py").rename(tmp_path / "a" / "x.py")
    (tmp_path / "a" / "x.py").write_text("2")
    assert digest(["a"], tmp_path) != first


def test_a_wipe_deletes_what_is_ours_even_when_the_record_is_damaged_and_nothing_else(tmp_path: Path) -> None:
    for name in ("aws", "s3", "prefect", "theirs"):
        (tmp_path / name).mkdir()
    (tmp_path / "local.json").write_text('{"instance": "0123abcd"')
    (tmp_path / "mlflow.db").write_text("")
    with pytest.raises(LocalCloudError, match=r"local\.json is not a record"):
        down(home=Home(path=tmp_path))
    marked = {"TROPISM_INSTANCE": "0123abcd", "PATH": os.environ["PATH"]}
    with subprocess.Popen(["sleep", "60"], env=marked) as ours, subprocess.Popen(["sleep", "60"]) as stranger:
        down(wipe=True, home=Home(path=tmp_path))
        assert not psutil.pid_exists(ours.pid)
        assert stranger.poll() is None
        stranger.kill()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".lock", "theirs"]
