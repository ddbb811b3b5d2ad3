"""Batches and files scored at once: the endpoint's numbers, every row accounted for, and once only."""

import csv
import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.score import score_batches, score_object
from lifecycle.batch import batch_prefix
from lifecycle.errors import BatchError, ReleaseError
from tasks import scoring
from tasks.score_files import Part, Source, write_scores
from tasks.step import directly
from tests.scoring.conftest import INPUTS, Ask, House, as_request, rows


def to_csv(path: Path, table: pa.Table) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, INPUTS)
        writer.writeheader()
        writer.writerows({name: "" if row[name] is None else row[name] for name in INPUTS} for row in as_request(table))
    return path


def test_scores_of_a_batch_are_the_endpoints_to_the_last_bit(house: House, ask: Ask) -> None:
    table = rows(2500)
    (found,) = score_batches(directly, house.settings, "loans", (house.publish(table),))
    said = [score for at in range(0, 2500, 500) for score in ask(as_request(table.slice(at, 500)))[0]]
    scored = house.table(found.data.key)
    assert scored["score"].to_pylist() == said
    assert scored["row"].to_pylist() == list(range(2500))
    assert scored["id"].to_pylist() == table["id"].to_pylist()
    assert (found.rows.received, found.rows.scored, found.rows.refused) == (2500, 2500, 0)
    assert found.unseen == {"purpose": table["purpose"].to_pylist().count("boat")}
    assert (found.model_version, found.bundle, found.function_version) == (
        "3",
        house.champion.bundle,
        house.champion.function_version,
    )


def test_scored_again_nothing_is_written(house: House) -> None:
    batch_id = house.publish(rows(20))
    first = score_batches(directly, house.settings, "loans", (batch_id,))
    versions = house.aws.s3.list_object_versions(Bucket=house.bucket, Prefix="scores/")["Versions"]
    assert score_batches(directly, house.settings, "loans", (batch_id,)) == first
    assert score_batches(directly, house.settings, "loans") == ()
    assert house.aws.s3.list_object_versions(Bucket=house.bucket, Prefix="scores/")["Versions"] == versions
    assert [key.rpartition("/")[0] for key in house.keys("scores/")] == ["scores/loans/3"] * 2


def test_scores_without_a_manifest_were_never_finished_and_are_made_again(house: House) -> None:
    batch_id = house.publish(rows(20))
    house.aws.s3.put_object(Bucket=house.bucket, Key=f"scores/loans/3/{batch_id}.parquet", Body=b"half")
    (found,) = score_batches(directly, house.settings, "loans")
    assert house.table(found.data.key).num_rows == 20


def test_by_default_every_batch_without_scores_is_scored(house: House) -> None:
    one, two = house.publish(rows(5, seed=1)), house.publish(rows(6, seed=2))
    score_batches(directly, house.settings, "loans", (one,))
    assert [found.batch_id for found in score_batches(directly, house.settings, "loans")] == [two]


def test_rows_that_break_the_contract_are_listed_alone_and_counts_add_up(house: House, ask: Ask) -> None:
    """What the product let pass, the model's contract may not: too large a number, a text without end."""
    table = rows(1200)
    amount, purpose, sched = (table[name].to_pylist() for name in ("amount", "purpose", "sched"))
    amount[7] = amount[1100] = 1e39
    purpose[8] = "x" * 300
    sched[1199] = None
    for name, values in (("amount", amount), ("purpose", purpose), ("sched", sched)):
        kind = table[name].type
        table = table.set_column(table.column_names.index(name), name, pa.array(values, kind))
    (found,) = score_batches(directly, house.settings, "loans", (house.publish(table),))
    scored = house.table(found.data.key).to_pylist()
    refused = {row["row"]: (row["code"], row["score"]) for row in scored if row["code"]}
    assert refused == {
        7: ("not_finite", None),
        8: ("string_too_long", None),
        1100: ("not_finite", None),
        1199: ("missing_value", None),
    }
    assert scored[7]["reason"] == "Column 'amount': expected a finite number of at most 3.4e38, found a larger one."
    assert [(one.code, one.rows, one.first) for one in found.refused] == [
        ("missing_value", 1, 1199),
        ("not_finite", 2, 7),
        ("string_too_long", 1, 8),
    ]
    assert (found.rows.received, found.rows.scored, found.rows.refused) == (1200, 1196, 4)
    kept = table.filter(pa.array([row["code"] is None for row in scored]))
    said = [score for at in range(0, 1196, 598) for score in ask(as_request(kept.slice(at, 598)))[0]]
    assert [row["score"] for row in scored if row["code"] is None] == said


def test_a_batch_whose_bytes_were_altered_is_not_scored(house: House) -> None:
    batch_id = house.publish(rows(20))
    manifest = f"{batch_prefix('validated', 'loans', batch_id)}manifest.json"
    told = json.loads(house.aws.s3.get_object(Bucket=house.bucket, Key=manifest)["Body"].read())
    told["data"]["sha256"] = "0" * 64
    house.aws.s3.put_object(Bucket=house.bucket, Key=manifest, Body=json.dumps(told).encode())
    with pytest.raises(BatchError, match="is not as it was published"):
        score_batches(directly, house.settings, "loans", (batch_id,))
    assert house.keys("scores/") == []


def test_a_batch_without_a_column_the_model_needs_is_refused_with_the_name_that_was_meant(house: House) -> None:
    table = rows(20).rename_columns(["id", "amount", "income", "schedd", "new", "purpose", "at", "late"])
    with pytest.raises(BatchError, match=r"'sched'\. You sent 'schedd'; did you mean 'sched'\?"):
        score_batches(directly, house.settings, "loans", (house.publish(table),))


def test_a_product_that_serves_nothing_scores_nothing(house: House) -> None:
    house.aws.s3.delete_object(Bucket=house.bucket, Key="control/loans.json")
    with pytest.raises(ReleaseError, match="serves no model"):
        score_batches(directly, house.settings, "loans")


def test_a_csv_is_read_as_a_delivery_and_scored_as_a_request(house: House, ask: Ask, run: Any, tmp_path: Path) -> None:
    table = rows(300)
    out = tmp_path / "scores.parquet"
    ran = run("score", "loans", "--file", to_csv(tmp_path / "rows.csv", table), "--out", out, "--json")
    assert ran.json[0]["rows"] == {"received": 300, "scored": 300, "refused": 0}
    assert pq.read_table(out)["score"].to_pylist() == ask(as_request(table))[0]
    assert house.keys("scores/") == []


def test_rows_of_a_file_that_cannot_be_read_are_listed_with_the_others(house: House, run: Any, tmp_path: Path) -> None:
    path = to_csv(tmp_path / "rows.csv", rows(10))
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace(lines[3].split(",")[1], "a lot")
    lines[6] += ",one,more"
    path.write_text("\n".join(lines) + "\n")
    out = tmp_path / "scores.parquet"
    ran = run("score", "loans", "--file", path, "--out", out)
    refused = {row["row"]: row["code"] for row in pq.read_table(out).to_pylist() if row["code"]}
    assert refused == {2: "TYPE", 5: "FIELD_COUNT"}
    assert "8 of 10 rows scored by model 3." in ran.out
    assert "1 refused, TYPE; the first, row 2: TYPE income: found something else, expected a number." in ran.out


def test_a_file_in_the_bucket_is_scored_under_its_bytes_name(house: House, tmp_path: Path) -> None:
    body = gzip.compress(to_csv(tmp_path / "rows.csv", rows(50)).read_bytes(), mtime=0)
    house.aws.s3.put_object(Bucket=house.bucket, Key="scoring/loans/rows.csv.gz", Body=body)
    found = score_object(directly, house.settings, "loans", "scoring/loans/rows.csv.gz")
    assert found.data.key == f"scores/loans/3/{found.batch_id}.parquet"
    assert (found.source, found.rows.scored) == ("scoring/loans/rows.csv.gz", 50)
    assert score_object(directly, house.settings, "loans", "scoring/loans/rows.csv.gz") == found


def test_a_file_that_is_no_table_or_is_not_there_is_refused_in_words(house: House, run: Any, tmp_path: Path) -> None:
    (tmp_path / "page.csv").write_text("<html></html>")
    ran = run("score", "loans", "--file", tmp_path / "page.csv")
    assert (ran.code, "page.csv cannot be scored." in ran.err) == (11, True)
    assert run("score", "loans", "--file", tmp_path / "gone.csv").code == 2
    with pytest.raises(BatchError, match="There is nothing at"):
        score_object(directly, house.settings, "loans", "scoring/loans/gone.csv")


def test_the_command_takes_the_start_of_a_batch_id_and_says_what_it_does_not_know(house: House, run: Any) -> None:
    batch_id = house.publish(rows(30))
    found = run("score", "loans", "--batch", batch_id[:8], "--json").json
    assert (found[0]["batch_id"], found[0]["scores"]) == (
        batch_id,
        f"s3://{house.bucket}/scores/loans/3/{batch_id}.parquet",
    )
    assert "Every validated batch is scored already." in run("score", "loans").out
    unknown = run("score", "loans", "--batch", "ffffff")
    assert (unknown.code, "is the id of no validated batch of loans" in unknown.err) == (2, True)
    assert run("score", "loans", "--out", "x.parquet").code == 2


def test_memory_does_not_grow_with_the_rows(house: House, tmp_path: Path) -> None:
    model = scoring.champion(house.settings, "loans")
    table = rows(2000)

    def peak(times: int) -> int:
        parts = (Part(table, np.arange(2000) + 2000 * at) for at in range(times))
        tracemalloc.start()
        written = write_scores(tmp_path / "out.parquet", model.scorer, Source(table.schema, parts), ("id",))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert written.rows.scored == 2000 * times
        return most

    few, many = peak(2), peak(12)
    assert many < 1.5 * few
