"""From a file to a reviewable product: what is understood, what is written, what a second run does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from lifecycle import spec
from tasks.suites import load_suite
from tests.init.conftest import Run, customers


def init(run: Run, path: Path, *more: object, target: str = "churned") -> Any:
    return run("init", "churn", "--data", path, "--target", target, *more)


def test_a_file_becomes_a_product_two_suites_and_a_sample(run: Run, customers_csv: Path, tmp_path: Path) -> None:
    found = init(run, customers_csv, "--yes")
    assert found.code == 0
    product = spec.load(tmp_path / "products", "churn")
    assert (product.task, product.target.classes) == ("binary", ("no", "yes"))
    assert (product.time, product.grain) == ("seen_at", ("customer_id",))
    assert product.features.numbers == ("use",)
    assert product.features.categories == ("plan",)
    assert product.features.encoded == ("village",)
    assert product.features.lengths == ("note",)
    assert product.features.dates == {"seen_at": ("weekday", "hour"), "joined": ("age", "month", "weekday")}
    for suite in ("churn_raw", "churn_features"):
        assert load_suite(tmp_path / "expectations", suite).rules
    assert "tropism drop churn" in found.out
    assert "yaml-language-server" in (tmp_path / "products/churn/product.yaml").read_text()
    assert (tmp_path / "products/product.schema.json").is_file()


def test_what_gives_the_target_away_is_named_and_left_out(run: Run, customers_csv: Path, tmp_path: Path) -> None:
    found = init(run, customers_csv, "--yes")
    assert "Warning: refunded is left out: alone predicts AUC 1.000 of the target: a leak, it seems." in found.err
    product = spec.load(tmp_path / "products", "churn")
    assert "refunded" not in {column.name for column in product.inputs}
    text = (tmp_path / "products/churn/product.yaml").read_text()
    assert "name: refunded, type: double, nullable: true, input: false } # LEFT OUT: alone predicts" in text


def test_what_nearly_gives_the_target_away_stays_and_a_person_is_asked(run: Run, tmp_path: Path) -> None:
    """A farewell letter went to 94 of 100 who left and to nobody else: maybe known afterwards, maybe a fair column."""
    frame = customers().drop(columns="refunded")
    sent = (frame["churned"] == "yes") & (np.random.default_rng(1).random(len(frame)) < 0.94)
    path = tmp_path / "customers.csv"
    frame.assign(letter=np.where(sent, "A4", None)).to_csv(path, index=False)
    answer = init(run, path, "--yes", "--json").json
    assert (answer["leaks"], "letter" in answer["features"]) == ([], True)
    (note,) = answer["notes"]
    assert note.startswith("letter alone predicts AUC 0.9")
    assert note.endswith("if it is known only afterwards, take it out of `features`")


def test_constants_and_identifiers_are_told_and_teach_nothing(run: Run, customers_csv: Path) -> None:
    answer = init(run, customers_csv, "--yes", "--json").json
    left = {one["column"]: one["because"] for one in answer["left_out"]}
    assert left == {"customer_id": "key", "country": "constant", "refunded": "giveaway"}
    assert answer["leaks"] == ["refunded"]
    assert answer["state"] == "written"


def test_nothing_is_written_without_a_yes(run: Run, customers_csv: Path, tmp_path: Path) -> None:
    found = init(run, customers_csv)
    assert (found.code, "Nothing was written. Say --yes" in found.out) == (1, True)
    assert not list((tmp_path / "products").iterdir())


def test_a_second_run_on_the_same_file_changes_nothing(run: Run, customers_csv: Path, tmp_path: Path) -> None:
    init(run, customers_csv, "--yes")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    found = init(run, customers_csv, "--yes")
    assert (found.code, "nothing to change" in found.out) == (0, True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_second_run_proposes_a_difference_and_overwrites_nothing(
    run: Run, customers_csv: Path, tmp_path: Path
) -> None:
    init(run, customers_csv, "--yes")
    path = tmp_path / "products/churn/product.yaml"
    path.write_text(path.read_text().replace("max_rounds", "max_rounds").replace("metric: auc", "metric: log_loss"))
    mine = path.read_text()
    found = init(run, customers_csv, "--yes")
    assert (found.code, path.read_text()) == (0, mine)
    assert "-  metric: log_loss" in found.out
    assert "+  metric: auc" in found.out
    assert init(run, customers_csv, "--yes", "--json").json["state"] == "proposed"
    assert init(run, customers_csv, "--apply", "--json").json["state"] == "written"
    assert "metric: auc" in path.read_text()


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("churn", "No column is called 'churn'; did you mean 'churned'?"),
        ("Churned", "No column is called 'Churned'; did you mean 'churned'?"),
        ("country", "'country' cannot be predicted like this. It holds one value only"),
        ("customer_id", "'customer_id' cannot be predicted like this. It holds 3,000 different values in 3,000 rows"),
        ("joined", "'joined' cannot be predicted like this. It holds dates"),
    ],
)
def test_a_target_that_cannot_be_one_is_answered_by_name(
    run: Run, customers_csv: Path, target: str, sentence: str
) -> None:
    found = init(run, customers_csv, "--yes", target=target)
    assert found.code == 2
    assert sentence in found.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("init", "Churn"), "A product cannot be called 'Churn'."),
        (("init", "churn"), "There is no data."),
        (("init", "churn", "--data", "x.csv"), "There is no target."),
        (("init", "churn", "--data", "x.csv", "--target", "y"), "There is no file x.csv."),
        (("init", "churn", "--data", "x.csv", "--target", "y", "--task", "magic"), "There is no task 'magic'."),
    ],
)
def test_what_is_missing_from_the_command_is_said(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    found = run(*arguments)
    assert found.code == 2
    assert sentence in found.err


def test_a_person_may_say_what_is_guessed_otherwise(run: Run, customers_csv: Path, tmp_path: Path) -> None:
    init(run, customers_csv, "--yes", "--time", "none", "--key", "none")
    product = spec.load(tmp_path / "products", "churn")
    assert (product.time, product.grain, product.repeats) == (None, (), "refuse")
    assert product.features.dates["joined"] == ("days", "month", "weekday")
    found = init(run, customers_csv, "--time", "plan")
    assert "'plan' cannot say when a row happened." in found.err


def test_several_files_gzip_and_parquet_are_one_product(run: Run, tmp_path: Path) -> None:
    parts = [tmp_path / "one.csv", tmp_path / "two.csv.gz"]
    for seed, path in enumerate(parts):
        customers(1500, seed).to_csv(path, index=False)
    answer = run("init", "churn", "--data", parts[0], parts[1], "--target", "churned", "--yes", "--json").json
    assert (answer["rows"], answer["grain"], answer["held_back"]) == (3000, ["customer_id"], 0)
    whole = tmp_path / "whole.parquet"
    frame = customers(1500)
    frame.assign(seen_at=pd.to_datetime(frame["seen_at"])).to_parquet(whole, write_page_checksum=True)
    shown = run("init", "other", "--data", whole, "--target", "churned", "--yes", "--json").json
    assert (shown["rows"], shown["time"], shown["grain"]) == (1500, "seen_at", ["customer_id"])


def test_files_with_other_columns_are_refused_by_name(run: Run, tmp_path: Path) -> None:
    customers(200).to_csv(tmp_path / "one.csv", index=False)
    customers(200).drop(columns="plan").to_csv(tmp_path / "two.csv", index=False)
    found = run("init", "churn", "--data", tmp_path / "one.csv", tmp_path / "two.csv", "--target", "churned")
    assert "two.csv has no column 'plan'." in found.err


def test_another_dialect_is_declared_and_dates_in_words_of_their_own(run: Run, tmp_path: Path) -> None:
    frame = customers(1200)
    frame["seen_at"] = pd.to_datetime(frame["seen_at"]).dt.strftime("%d.%m.%Y %H:%M")
    path = tmp_path / "kunden.csv"
    path.write_bytes(frame.to_csv(index=False, sep=";", decimal=",").encode("cp1252"))
    answer = init(run, path, "--yes", "--json").json
    product = spec.load(tmp_path / "products", "churn")
    assert product.reading.model_dump() == {"encoding": "cp1252", "separator": ";", "decimal": ","}
    assert {column.format for column in product.columns if column.name == "seen_at"} == {"%d.%m.%Y %H:%M"}
    assert (answer["rows"], answer["held_back"], answer["time"]) == (1200, 0, "seen_at")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "EMPTY_FILE"),
        (b"1,2,3\n4,5,6\n7,8,9\n", "has no header: its first line looks like data."),
        (b"a,a,y\n1,2,0\n2,3,1\n", "has two columns called 'a'."),
        (b"a,b,y\n", "NO_ROWS"),
        (b"<html><body>503</body></html>", "NOT_CSV"),
        (b"PAR1rubbish", "NOT_CSV: found Parquet bytes under the name of a CSV file"),
        (b"a,b\n\x00,1\n", "NUL_BYTES"),
    ],
    ids=["empty", "no header", "twice", "no rows", "html", "broken parquet", "nul"],
)
def test_a_file_that_cannot_be_read_is_answered_in_a_sentence(
    run: Run, tmp_path: Path, body: bytes, sentence: str
) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(body)
    found = init(run, path, "--yes", target="y")
    assert found.code in (2, 11)
    assert sentence in found.err
    assert "Traceback" not in found.err


def test_names_that_yaml_or_a_terminal_would_misread_come_back_as_they_are(run: Run, tmp_path: Path) -> None:
    names = ["yes", "null", "a: b", "# c", 'q"uote', "größe 🎈", "[x]", "  lead", "{y}", "it's", "1e3x", "-"]
    frame = pd.DataFrame({name: [(7 * row + at) % 13 for row in range(300)] for at, name in enumerate(names)})
    frame["y"] = [row % 2 for row in range(300)]
    frame.to_csv(tmp_path / "odd.csv", index=False)
    found = run("init", "odd", "--data", tmp_path / "odd.csv", "--target", "y", "--yes")
    assert found.code == 0, found.err
    product = spec.load(tmp_path / "products", "odd")
    assert [column.name for column in product.columns] == [*names, "y"]
    assert set(product.features.numbers) == set(names)


def test_the_sample_request_carries_the_inputs(run: Run, customers_csv: Path, tmp_path: Path) -> None:
    init(run, customers_csv, "--yes")
    request = json.loads((tmp_path / "products/churn/sample/request.json").read_text())
    product = spec.load(tmp_path / "products", "churn")
    (row,) = request["dataframe_records"]
    assert list(row) == [column.name for column in product.inputs]
    assert None not in row.values()


def test_the_yaml_is_plain_yaml_with_a_reason_for_each_column(run: Run, customers_csv: Path, tmp_path: Path) -> None:
    init(run, customers_csv, "--yes")
    text = (tmp_path / "products/churn/product.yaml").read_text()
    assert yaml.safe_load(text)["name"] == "churn"
    columns = [line for line in text.splitlines() if line.startswith("  - { name:")]
    assert len(columns) == 10
    assert all(" # " in line for line in columns)


def test_help_costs_nothing_and_the_machinery_names_no_table(run: Run) -> None:
    assert "Example: tropism init churn" in run("init", "--help").out


@pytest.mark.parametrize("words", [("true", "false"), ("1", "0"), ("2", "1"), ("ja", "nein")])
def test_two_classes_in_any_spelling_make_a_product(run: Run, tmp_path: Path, words: tuple[str, str]) -> None:
    frame = pd.DataFrame({"x": [float(row * 7 % 50) for row in range(400)]})
    frame["y"] = [words[0] if row % 3 == 0 else words[1] for row in range(400)]
    frame.to_csv(tmp_path / "two.csv", index=False)
    answer = run("init", "two", "--data", tmp_path / "two.csv", "--target", "y", "--yes", "--json").json
    assert (answer["task"], answer["state"]) == ("binary", "written")
    (share,) = [rule for rule in load_suite(tmp_path / "expectations", "two_raw").rules if rule.code == "DISTRIBUTION"]
    assert len(share.kwargs["value_set"]) == 1
