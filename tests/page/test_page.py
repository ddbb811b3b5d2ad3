"""What the page says and what it must not: everything of the past, nothing that acts, nothing from elsewhere."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from cli import status
from cli.context import Here
from cli.main import main
from cli.shapes import Report
from lifecycle.page import page_key
from lifecycle.settings import Settings
from tasks import report_links, reports
from tests.page.estate import FORMULA, SCRIPT, Estate


def text_of(page: str) -> str:
    """Return what a reader sees, roughly: no tags, entities as characters, single spaces."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_a_page_is_kept_in_the_bucket_and_found_again(estate: Estate, full_page: str) -> None:
    found = report_links.find_report(estate.settings, "loans")
    assert found is not None
    assert (found.key, found.url) == (page_key("loans"), f"{estate.aws.endpoint}/{estate.bucket}/{page_key('loans')}")
    stored = estate.aws.s3.head_object(Bucket=estate.bucket, Key=found.key)
    assert stored["ContentType"] == "text/html; charset=utf-8"
    assert report_links.find_report(estate.settings, "other") is None


def test_the_same_moment_gives_the_same_page(estate: Estate, full_page: str) -> None:
    reports.build_report(estate.settings, "loans", estate.now)
    assert report_links.read_report(estate.settings, "loans") == full_page.encode()


def test_in_an_account_the_address_is_that_of_the_object(bare: Settings) -> None:
    there = bare.model_copy(update={"aws_endpoint_url": None})
    assert report_links.link(there, "loans").url == f"s3://{bare.bucket}/reports/loans/index.html"


def test_names_that_came_with_the_data_are_text_and_never_markup(full_page: str) -> None:
    assert "<script" not in full_page
    assert full_page.count(html.escape(SCRIPT)) > 20
    assert html.escape(FORMULA) in full_page or FORMULA.replace("'", "&#39;") in full_page
    assert SCRIPT in text_of(full_page)


def test_nothing_of_the_page_is_elsewhere(full_page: str, bare_page: str) -> None:
    for page in (full_page, bare_page):
        assert re.findall(r"""(?:src|href|action)=["'](?!#|data:,)[^"']*""", page) == []
        assert re.findall(r"url\((?!#)", page) == []
        assert re.findall(r"@import|<link (?!rel=\"icon\")|<iframe|<object|\son\w+=", page) == []
        assert "default-src 'none'" in page


def test_the_page_says_what_serves_what_is_released_and_what_it_was_judged_on(full_page: str) -> None:
    told = text_of(full_page)
    assert "Model 2 answers 75 % of the requests; model 3 takes 25 %." in told
    assert "2 of 4" in told
    assert "LEANS_TO_HARM" in told
    assert "25 % challenger 1,000 16 10 0 333" in told  # requests, failed, slow, invalid, acted on


def test_every_row_that_came_is_accounted_for(full_page: str) -> None:
    assert "4,800 rows received = 2,690 validated + 910 quarantined + 1,200 duplicates." in text_of(full_page)


def test_three_refused_challengers_open_the_breaker_and_the_page_says_so(full_page: str, bare_page: str) -> None:
    assert "The breaker is open: 3 trainings in a row came to nothing" in text_of(full_page)
    assert "breach: performance" in text_of(full_page)
    assert "breaker" not in text_of(bare_page)


def test_realised_performance_has_its_interval_and_its_holdout(estate: Estate, full_page: str) -> None:
    measured = [one for one in estate.entries() if one.action == "measure"]
    assert len(measured) >= 2
    told = text_of(full_page)
    for one in measured:
        lower, upper = (float(str(one.evidence[name])) for name in ("lower", "upper"))
        assert f"{lower:.3g} to {upper:.3g}" in told


def test_a_page_about_nothing_names_a_command_in_every_panel(bare_page: str) -> None:
    told = text_of(bare_page)
    assert "No model serves yet." in told
    assert told.count("tropism ") >= 8


def test_a_bundle_that_was_tampered_with_is_said_and_the_page_is_built_all_the_same(
    estate: Estate,
) -> None:
    key = estate.champion_code
    good = estate.aws.s3.get_object(Bucket=estate.bucket, Key=key)["Body"].read()
    estate.aws.s3.put_object(Bucket=estate.bucket, Key=key, Body=b"other code")
    try:
        reports.build_report(estate.settings, "loans", estate.now)
        told = text_of((report_links.read_report(estate.settings, "loans") or b"").decode())
    finally:
        estate.aws.s3.put_object(Bucket=estate.bucket, Key=key, Body=good)
    assert "is not the code it was published from" in told
    assert "holds no training profile to compare with" in told


def test_cost_is_what_was_measured_and_names_what_was_not(full_page: str) -> None:
    told = text_of(full_page)
    assert "These are seconds of a laptop at AWS's prices, not a bill." in told
    assert "Not measured, so not in the sum: " in told
    assert "train: Prefect does not answer" in told
    assert "t3.medium, 2 vCPU, 4 GB, over the same time" in told


def test_the_command_builds_the_page_writes_it_to_a_file_and_status_says_where_it_is(
    bare: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told = {"BUCKET": bare.bucket, "ROOT": str(bare.root), "FUNCTION_PREFIX": bare.function_prefix}
    for name, value in told.items():
        monkeypatch.setenv(f"TROPISM_{name}", value)
    file = tmp_path / "folder" / "loans.html"
    assert main(["report", "loans", "--output", str(file), "--json"]) == 0
    built = json.loads(capfd.readouterr().out)
    assert built == {"product": "loans", "url": report_links.link(bare, "loans").url, "file": str(file)}
    assert file.read_bytes() == report_links.read_report(bare, "loans")
    assert status.report(Here(bare, local=True), "loans") == Report(built["url"])
    assert main(["report", "loans", "--output", str(tmp_path)]) == 2  # a folder is no file
    assert "cannot be written" in capfd.readouterr().err
