"""A column more, less, renamed or of another type: said as a difference, applied by one command, then taken in."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.main import main
from lifecycle import spec
from lifecycle.batch import BatchManifest, QuarantineRecord, RowCounts, codes
from lifecycle.schema_change import Added, Renamed, Retyped, SchemaChange
from tasks.clients import s3
from tests.ingest import parts

PLAIN = parts.csv(parts.record(number) for number in range(50))
WIDER = parts.csv(
    (parts.record(number, ("red", "blue")[number % 2], number / 7) for number in range(50)),
    f"{parts.HEADER},colour,gloss",
)
BREAKING: dict[str, tuple[bytes, SchemaChange, str]] = {
    "renamed": (
        PLAIN.replace(b"size", b"size_mm", 1),
        SchemaChange(renamed=(Renamed(name="size", delivered="size_mm"),)),
        "~ size: delivered as 'size_mm'",
    ),
    "removed": (
        parts.csv((f"{n},{n},{n / 4},2024-01-01T00:00:00Z" for n in range(50)), "id,size,weight,made"),
        SchemaChange(removed=("name",)),
        "- name",
    ),
    "retyped": (
        parts.csv(parts.record(number, size=number + 0.5) for number in range(50)),
        SchemaChange(retyped=(Retyped(name="size", declared="long", delivered="double"),)),
        "~ size: long, delivered as double",
    ),
}
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(shop: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("TROPISM_BUCKET", shop.bucket)
    monkeypatch.setenv("TROPISM_ROOT", str(shop.root))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")

    def runs(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        return main(list(arguments)), capfd.readouterr().out

    return runs


def product(shop: Any) -> spec.Product:
    return spec.load(shop.root / "products", "parts")


def files(shop: Any) -> dict[str, str]:
    return {str(path.relative_to(shop.root)): path.read_text() for path in sorted(shop.root.rglob("parts*/*.yaml"))} | {
        path.name: path.read_text() for path in sorted((shop.root / "expectations").glob("*.json"))
    }


def requeued(shop: Any, run: Run, batch_id: str) -> Any:
    ((found,),) = [json.loads(run("requeue", "parts", batch_id, "--json")[1])]
    return shop.take_in(found["key"])


def published(shop: Any, batch_id: str) -> pa.Table:
    manifest = BatchManifest.model_validate_json(shop.bytes_of(f"validated/parts/{batch_id}/manifest.json"))
    version = manifest.data.object_version
    data = s3().get_object(Bucket=shop.bucket, Key=manifest.data.key, VersionId=version)["Body"].read()
    return pq.read_table(io.BytesIO(data))


def test_an_added_column_is_left_out_proposed_applied_once_and_then_taken_in(shop: Any, run: Run) -> None:
    first = shop.deliver(WIDER, "wider.csv")
    change = SchemaChange(added=(Added(name="colour", type="string"), Added(name="gloss", type="double")))
    assert (first.state, codes(first.notes), first.change) == ("validated", ("EXTRA_COLUMN",), change)
    manifest = BatchManifest.model_validate_json(shop.bytes_of(f"validated/parts/{first.batch_id}/manifest.json"))
    assert manifest.change == change
    assert run("schema", "parts")[1].startswith(
        f"wider.csv, batch {first.batch_id[:12]}, goes beyond the contract:\n  + colour: string\n  + gloss: double\n"
    )
    before = files(shop)
    assert json.loads(run("schema", "parts", "--json")[1])["state"] == "proposed"
    assert files(shop) == before, "nothing is written before it is asked for"
    assert json.loads(run("schema", "parts", "--apply", "--json")[1])["state"] == "applied"
    applied = files(shop)
    kept = [line for line in before["products/parts/product.yaml"].splitlines() if line]
    assert [line for line in applied["products/parts/product.yaml"].splitlines() if line in kept] == kept
    rules = json.loads(applied["parts_raw.json"])["expectations"]
    assert {rule["kwargs"].get("column") for rule in rules} == {None, "size", "colour", "gloss"}
    assert json.loads(run("schema", "parts", "--apply", "--json")[1])["state"] == "unchanged"
    assert files(shop) == applied
    record = requeued(shop, run, first.batch_id)
    assert (record.state, record.rows, record.change) == ("validated", RowCounts(50, 50, 0), None)
    table = published(shop, first.batch_id)
    assert table.column("colour").to_pylist()[:3] == ["red", "blue", "red"]
    assert product(shop).features.numbers == ("size",), "nobody learns from it unasked"


def test_learn_makes_features_of_new_columns(shop: Any, run: Run) -> None:
    shop.deliver(WIDER, "wider.csv")
    run("schema", "parts", "--apply", "--learn")
    found = product(shop)
    assert (found.features.numbers, found.features.categories) == (("size", "gloss"), ("colour",))
    assert [column.name for column in found.inputs] == ["size", "colour", "gloss"]


@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_refused_with_its_difference_and_taken_in_once_it_is_applied(
    name: str, shop: Any, run: Run
) -> None:
    body, change, line = BREAKING[name]
    record = shop.deliver(body, "may.csv")
    assert (record.state, record.change) == ("quarantined", change)
    explained = QuarantineRecord.model_validate_json(shop.bytes_of(f"quarantine/parts/{record.batch_id}/reasons.json"))
    assert explained.change == change
    assert f"    {line}\n" in run("batches", "parts", "--quarantined")[1]
    assert line in run("why", "parts", "may.csv")[1]
    assert json.loads(run("schema", "parts", "may.csv", "--apply", "--json")[1])["difference"] == [line]
    assert run("schema", "parts", "--apply")[1] == (
        "The columns of parts are as product.yaml says: nothing to change.\n"
    )
    again = requeued(shop, run, record.batch_id)
    assert (again.state, again.rows) == ("validated", RowCounts(50, 50, 0))
    assert published(shop, record.batch_id).num_rows == 50


def test_a_renamed_column_keeps_its_name_so_that_older_batches_and_models_go_on(shop: Any, run: Run) -> None:
    shop.deliver(PLAIN, "old.csv")
    shop.deliver(BREAKING["renamed"][0], "new.csv")
    run("schema", "parts", "--apply")
    for body, name in ((PLAIN, "old-again.csv"), (PLAIN.replace(b"size", b"size_mm", 1) + b"", "new.csv")):
        assert shop.deliver(body + parts.record(99).encode() + b"\n", name).state == "validated"
    repeated = parts.csv([*(parts.record(n) for n in range(60)), parts.HEADER], parts.HEADER)
    record = shop.deliver(repeated.replace(b"size", b"size_mm"), "twice.csv")
    assert codes(record.reasons) == ("REPEATED_HEADER",)


def test_a_retyped_parquet_column_is_told_by_its_own_type(shop: Any) -> None:
    table = pa.table({
        "id": range(9), "name": ["x"] * 9, "size": [f"{n} mm" for n in range(9)], "weight": [1.0] * 9,
        "made": ["2024-01-01T00:00:00Z"] * 9,
    })  # fmt: skip
    sink = io.BytesIO()
    pq.write_table(table, sink)
    record = shop.deliver(sink.getvalue(), "may.parquet")
    assert record.change == SchemaChange(retyped=(Retyped(name="size", declared="long", delivered="string"),))


def test_names_that_a_producer_chose_stay_on_their_line() -> None:
    change = SchemaChange(added=(Added(name="a\nb\x1b[31m" + "c" * 99, type=None),))
    (line,) = change.lines()
    assert line == f"+ a b [31m{'c' * 56}…: of no type a product can declare"
