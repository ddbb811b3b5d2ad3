"""The endpoint on real functions: every version here starts, opens its bundle and predicts."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from lifecycle import bundle
from lifecycle.errors import BundleError, ConflictError, ReleaseError, ServiceError
from lifecycle.manifest import Release
from lifecycle.settings import Settings
from lifecycle.smoke import request
from tasks import endpoint, function_versions, moulds, packages
from tasks.clients import lambda_client
from tests.release.conftest import House, Made, code

RELEASED = "2026-03-01T00:00:00+00:00"


def package(folder: Path, version: str) -> packages.Package:
    return packages.pack(code(), folder, Release(version, RELEASED))


def test_an_endpoint_is_made_from_the_mould_and_says_that_no_model_serves(house: House) -> None:
    function = endpoint.ensure_endpoint(house.settings, "flights")
    made = lambda_client().get_function_configuration(FunctionName=function)
    assert (made["MemorySize"], made["Timeout"], made["Environment"]["Variables"]) == (512, 20, {"STAGE": "test"})
    found = endpoint.serving(house.settings, "flights")
    assert found is not None
    assert (found.status, found.model_version, found.function_version) == (503, None, "1")


def test_ensuring_an_endpoint_again_changes_nothing_and_follows_the_mould(house: House) -> None:
    function = endpoint.ensure_endpoint(house.settings, "flights")
    before = lambda_client().get_function_configuration(FunctionName=function)["RevisionId"]
    url = endpoint.public_url(function)
    endpoint.ensure_endpoint(house.settings, "flights")
    assert lambda_client().get_function_configuration(FunctionName=function)["RevisionId"] == before
    lambda_client().update_function_configuration(FunctionName=moulds.mould_name(house.settings), MemorySize=640)
    endpoint.ensure_endpoint(house.settings, "flights")
    assert lambda_client().get_function_configuration(FunctionName=function)["MemorySize"] == 640
    assert endpoint.public_url(function) == url


@pytest.mark.usefixtures("aws")
def test_without_a_mould_the_way_out_is_named(tmp_path: Path) -> None:
    settings = Settings.model_validate({"bucket": "nowhere", "function_prefix": "absent", "root": tmp_path})
    with pytest.raises(ServiceError, match="tropism up"):
        endpoint.ensure_endpoint(settings, "flights")
    assert endpoint.serving(settings, "flights") is None


def test_publishing_the_same_bundle_twice_is_one_version_that_predicts(house: House, bundles: Made) -> None:
    function = endpoint.ensure_endpoint(house.settings, "flights")
    first = function_versions.publish(house.bucket, function, package(bundles(1), "1"))
    assert function_versions.publish(house.bucket, function, package(bundles(1), "1")) == first
    assert first.description == f"bundle:{bundle.load(bundles(1)).digest}"
    body = request(bundle.load(bundles(1)).contract)
    assert function_versions.require_smoke(function, first.number, "1", body).passed
    assert function_versions.smoke(function, first.number, "2", body).reason == "It answers as model 1, expected 2."
    bare = function_versions.smoke(function, "1", "1", body)
    assert not bare.passed
    assert "no bundle" in bare.reason


def test_two_publishers_at_once_never_publish_each_others_code(house: House, bundles: Made) -> None:
    function = endpoint.ensure_endpoint(house.settings, "flights")
    with ThreadPoolExecutor(2) as pool:
        found = list(
            pool.map(
                lambda seed: function_versions.publish(house.bucket, function, package(bundles(seed), str(seed))),
                (1, 2),
            )
        )
    for seed, version in zip((1, 2), found, strict=True):
        inside = function_versions.bundle_of(house.bucket, function, version.number)
        assert inside.digest == bundle.load(bundles(seed)).digest
        assert inside.release == Release(str(seed), RELEASED)


def test_code_that_changes_right_before_it_is_published_is_published_under_nobody_elses_name(
    house: House, bundles: Made
) -> None:
    function = endpoint.ensure_endpoint(house.settings, "flights")
    mine, other = package(bundles(1), "1"), package(bundles(2), "2")
    overtaken = []

    def overtake(**_: object) -> None:
        if not overtaken:
            overtaken.append(True)
            lambda_client().update_function_code(FunctionName=function, ZipFile=other.body)
            function_versions.wait_until_updated(function)

    events = lambda_client().meta.events
    events.register("before-call.lambda.PublishVersion", overtake, unique_id="overtake")
    try:
        version = function_versions.publish(house.bucket, function, mine)
    finally:
        events.unregister("before-call.lambda.PublishVersion", overtake, unique_id="overtake")
    assert overtaken
    assert function_versions.bundle_of(house.bucket, function, version.number).digest == bundle.load(bundles(1)).digest


def test_a_moved_alias_is_what_the_endpoint_answers(house: House, bundles: Made) -> None:
    function = endpoint.ensure_endpoint(house.settings, "flights")
    version = function_versions.publish(house.bucket, function, package(bundles(1), "7"))
    before = endpoint.move_alias(function, version.number)
    assert before.function_version == "1"
    found = endpoint.await_answer(house.settings, "flights", version.number, seconds=10)
    assert (found.status, found.model_version) == (200, "7")
    answer = httpx.post(f"{found.url}invocations", json=request(bundle.load(bundles(1)).contract), timeout=10)
    assert (answer.status_code, len(answer.json()["predictions"])) == (200, 2)
    endpoint.move_alias(function, version.number)
    assert endpoint.alias(function) == endpoint.move_alias(function, version.number)


def test_an_alias_moved_by_somebody_else_is_a_conflict_unless_they_moved_it_there(house: House, bundles: Made) -> None:
    function = endpoint.ensure_endpoint(house.settings, "flights")
    one = function_versions.publish(house.bucket, function, package(bundles(1), "1"))
    two = function_versions.publish(house.bucket, function, package(bundles(2), "2"))
    seen = endpoint.alias(function)
    endpoint.move_alias(function, one.number)
    with pytest.raises(ConflictError, match=f"points to version {one.number}"):
        endpoint.move_alias(function, two.number, seen=seen)
    endpoint.move_alias(function, one.number, seen=seen)


def test_an_endpoint_that_does_not_follow_is_not_waited_for_for_ever(house: House) -> None:
    endpoint.ensure_endpoint(house.settings, "flights")
    with pytest.raises(ReleaseError, match="function version 1, status 503"):
        endpoint.await_answer(house.settings, "flights", "9", seconds=0.5)


def test_a_missing_or_altered_version_is_refused_by_its_bytes(house: House, bundles: Made) -> None:
    function = endpoint.ensure_endpoint(house.settings, "flights")
    version = function_versions.publish(house.bucket, function, package(bundles(1), "1"))
    key = function_versions.code_key(function, packages.to_sha256(version.code_sha256))
    with pytest.raises(BundleError, match="does not exist"):
        function_versions.bundle_of(house.bucket, function, "99")
    house.aws.s3.put_object(Bucket=house.bucket, Key=key, Body=package(bundles(2), "1").body)
    with pytest.raises(BundleError, match="not the code it was published from"):
        function_versions.bundle_of(house.bucket, function, version.number)
    house.aws.s3.delete_object(Bucket=house.bucket, Key=key)
    with pytest.raises(BundleError, match="is gone"):
        function_versions.bundle_of(house.bucket, function, version.number)


def test_a_tampered_bundle_is_not_packed(bundles: Made, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundles(1), folder)
    (folder / bundle.MODEL).write_bytes(b"x" + (folder / bundle.MODEL).read_bytes()[1:])
    with pytest.raises(BundleError, match=r"model\.ubj"):
        package(folder, "1")


def test_a_package_is_the_same_bytes_every_time_and_keeps_the_code_executable(bundles: Made) -> None:
    assert package(bundles(1), "1").body == package(bundles(1), "1").body
    assert package(bundles(1), "1").sha256 != package(bundles(1), "2").sha256
    again = packages.pack(package(bundles(1), "1").body, bundles(2), Release("2", RELEASED))
    assert again.body == package(bundles(2), "2").body
    assert packages.unpack(again.body).bundle.digest == bundle.load(bundles(2)).digest
    assert again.description == f"bundle:{bundle.load(bundles(2)).digest}"
