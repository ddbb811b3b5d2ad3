"""docs/predictions.md says what the code does."""

import re
from pathlib import Path

from deployments.aws.apply import TEMPLATE
from lifecycle.predictions import Prediction
from lifecycle.settings import Settings
from tasks import delivery_streams, predictions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "predictions.md").read_text(encoding="utf-8")
SETTINGS = Settings.model_validate({"bucket": "my-bucket", "function_prefix": "p"})
WANTED = delivery_streams.destination(SETTINGS, "flights", delivery_streams.Roles("arn:aws:iam::1:role/d", ""))


def test_the_path_is_the_one_that_is_made() -> None:
    assert delivery_streams.PATTERN in PAGE
    assert delivery_streams.stream_name(SETTINGS, "flights") == "p-predictions-flights"
    assert "<prefix>-predictions-<product>" in PAGE
    assert WANTED["Prefix"] == "predictions/flights/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    assert "predictions/<product>/dt=2026-03-01/hour=12/" in PAGE
    assert WANTED["ErrorOutputPrefix"].startswith("predictions-failed/flights/")
    assert "`predictions-failed/<product>/`" in PAGE
    hints = WANTED["BufferingHints"]
    assert (hints["IntervalInSeconds"], f"(or {hints['SizeInMBs']} MB)" in PAGE) == (60, True)


def test_the_times_are_those_of_the_code() -> None:
    assert f"{predictions.LATE.total_seconds() / 3600:g} hours" in PAGE
    assert (predictions.LOOK_BACK.days, "a week back" in PAGE) == (7, True)
    declared = dict(
        re.findall(r"^  (\w+Days):\n    Type: Number\n    Default: (\d+)", TEMPLATE.read_text(), re.MULTILINE)
    )
    for name in ("LogRetentionDays", "PredictionDays"):
        assert f"`{name}` ({declared[name]} by default)" in PAGE
    assert int(declared["LogRetentionDays"]) == delivery_streams.RETENTION_DAYS


def test_the_table_has_columns_a_record_has_and_lies_where_the_log_lies() -> None:
    (table,) = re.findall(r"CREATE EXTERNAL TABLE \w+ \((.*?)\)\nPARTITIONED", PAGE, re.DOTALL)
    columns = {name.strip("`") for name in re.findall(r"(`?\w+`?) (?:string|int|boolean|double|array<)", table)}
    assert columns
    assert columns <= Prediction.model_fields.keys()
    template = re.search(r"'storage.location.template' = 's3://my-bucket/(.*)'", PAGE)
    assert template is not None
    prefix = WANTED["Prefix"].replace("!{timestamp:yyyy-MM-dd}", "${dt}").replace("!{timestamp:HH}", "${hour}")
    assert template[1] == prefix


def test_the_example_runs_on_what_there_is() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    compile(example, "docs/predictions.md", "exec")
    for name in re.findall(r"predictions\.(\w+)\(", example):
        assert callable(getattr(predictions, name))


def test_the_laptop_keeps_as_many_streams_and_as_much_memory_as_the_page_says() -> None:
    patches = ROOT / "localcloud" / "patches"
    (kept,) = re.findall(r"^KEPT_STREAMS = (\d+)", (patches / "log_lines.py").read_text(), re.MULTILINE)
    assert f"the last {kept} are kept" in PAGE
    assert "SEGMENT_BYTES = 4 << 20" in (patches / "spool.py").read_text()
    assert "4 MB at a time" in PAGE
