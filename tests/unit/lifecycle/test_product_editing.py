"""A product's text after a change of its columns: the lines in question differ, and nothing else does."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from lifecycle import spec
from lifecycle.errors import SpecError
from lifecycle.product_editing import edited
from lifecycle.schema_change import Added, Renamed, Retyped, SchemaChange, remaining

PRODUCTS = Path(__file__).parents[3] / "products"
NAMES = spec.names(PRODUCTS)
BLOCK = """\
name: parts
task: regression
grain: [id]
time: null
columns: # as delivered
- name: id # key
  type: long
  input: false
- name: colour
  type: string
  aliases: [color]
# the last one
- name: born
  type: datetime
  format: "%d.%m.%Y" # day first
- {name: weight, type: double, input: false}

target: {column: weight}
features:
  categories:
    - colour # all
  dates: {born: [month]}
evaluation: {metric: rmse, floors: {rmse: 1}}
"""


def text_of(name: str) -> str:
    return (PRODUCTS / name / "product.yaml").read_text(encoding="utf-8")


def differing(before: str, after: str) -> list[str]:
    found = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    return [line for line in found if line[0] in "+-"]


@pytest.mark.parametrize("name", NAMES)
def test_an_added_column_is_one_line_and_taking_it_out_gives_the_text_back(name: str) -> None:
    before = text_of(name)
    change = SchemaChange(added=(Added(name="zz new", type="double"),))
    after = edited(before, change, "it", batch="3f9a")
    line = '  - { name: "zz new", type: double, nullable: true, input: false } # came with batch 3f9a, '
    assert differing(before, after) == [f"+{line}learned from by nobody yet"]
    assert remaining(change, spec.parse(after, source="it")) == SchemaChange()
    assert edited(after, SchemaChange(removed=("zz new",)), "it", batch="") == before


@pytest.mark.parametrize("name", NAMES)
def test_every_column_may_be_renamed_and_keeps_its_line(name: str) -> None:
    before = text_of(name)
    for column in spec.parse(before, source="it").columns:
        change = SchemaChange(renamed=(Renamed(name=column.name, delivered="other: [name]"),))
        after = edited(before, change, "it", batch="")
        assert len(differing(before, after)) == 2
        assert spec.parse(after, source="it").aliases == {"other: [name]": column.name}
        assert remaining(change, spec.parse(after, source="it")) == SchemaChange()


def test_a_column_that_shall_be_learned_from_becomes_an_input_and_a_feature() -> None:
    change = SchemaChange(added=(Added(name="size", type="long"), Added(name="note", type="string")))
    after = edited(BLOCK, change, "it", batch="3f9a", learn={"size": "numbers", "note": "categories"})
    found = spec.parse(after, source="it")
    assert [column.name for column in found.inputs] == ["colour", "born", "size", "note"]
    assert (found.features.numbers, found.features.categories) == (("size",), ("colour", "note"))
    assert all(line.startswith("+") for line in differing(BLOCK, after))


def test_columns_in_blocks_keep_their_comments() -> None:
    change = SchemaChange(
        added=(Added(name="seen", type="datetime", format="%Y/%m/%d"),),
        renamed=(Renamed(name="colour", delivered="Farbe"), Renamed(name="id", delivered="nr")),
        retyped=(Retyped(name="born", declared="datetime", delivered="string"),),
    )
    after = edited(BLOCK, change, "it", batch="3f9a")
    seen = '- { name: seen, type: datetime, nullable: true, input: false, format: "%Y/%m/%d" }'
    assert differing(BLOCK, after) == [
        "+  aliases: [nr]",
        "-  aliases: [color]",
        "+  aliases: [color, Farbe]",
        "-  type: datetime",
        '-  format: "%d.%m.%Y" # day first',
        "+  type: string",
        f"+{seen} # came with batch 3f9a, learned from by nobody yet",
        "-  dates: {born: [month]}",
        "+  dates: {}",
    ]


def test_a_removed_column_leaves_the_features_as_well() -> None:
    found = spec.parse(edited(BLOCK, SchemaChange(removed=("colour", "born")), "it", batch=""), source="it")
    assert [column.name for column in found.columns] == ["id", "weight"]
    assert (found.features.categories, found.features.dates) == ((), {})


def test_a_whole_number_that_became_a_number_is_a_feature_as_before() -> None:
    before = text_of("bike").replace("temp, type: double", "temp, type: long", 1)
    after = edited(before, SchemaChange(retyped=(Retyped(name="temp", declared="long", delivered="double"),)), "it",
                   batch="")  # fmt: skip
    assert after == text_of("bike")


@pytest.mark.parametrize("gone", ["id", "weight"])
def test_what_the_product_cannot_do_without_is_left_to_a_person(gone: str) -> None:
    with pytest.raises(SpecError, match="it after the change does not describe a product"):
        edited(BLOCK, SchemaChange(removed=(gone,)), "it", batch="")
