"""A product's text after a change of its columns: only the lines in question differ, every comment stays.

The text is edited at the places where the YAML parser found things, one change at a time. Whether the result still
describes a product is asked at the end; what it leaves to a person is a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lifecycle import spec
from lifecycle.declaration import Column
from lifecycle.errors import SpecError
from lifecycle.product_writing import one_line, quoted
from lifecycle.schema_change import Added, Renamed, Retyped, SchemaChange, declared

Features = Mapping[str, str]
"""Column to the list of features that it shall be in: `numbers`, `categories`, `encoded`, `lengths` or `missing`."""

_LISTS = ("numbers", "categories", "encoded", "lengths", "missing")
_ALIKE = frozenset({"long", "double", "boolean"})  # what a feature makes of one it makes of the others


def edited(text: str, change: SchemaChange, source: str, *, batch: str, learn: Features | None = None) -> str:
    """Return the text with a change applied. Raises SpecError when what comes out describes no product.

    An added column is kept and judged and learned from by nobody, unless `learn` says in which list of features it
    shall be. A renamed one keeps its name and gets an alias. A retyped one that features cannot read as before is
    taken out of them. `batch` is named in the comment of an added column.
    """
    learned = learn or {}
    for new in change.added:
        if new.type is not None:
            text = _add(text, new, batch, used=new.name in learned)
    for one in change.renamed:
        text = _alias(text, one)
    for typed in change.retyped:
        text = _retype(text, typed)
    for name in change.removed:
        text = _unlist(_drop_item(text, _column(text, name)), name)
    for name, place in learned.items():
        text = _list(text, name, place)
    spec.parse(text, source=f"{source} after the change")
    return text


def _add(text: str, new: Added, batch: str, *, used: bool) -> str:
    line = _flow(declared(new), used=used)
    note = f"came with batch {one_line(batch)}" + ("" if used else ", learned from by nobody yet")
    return _append(text, _columns(text), line, note)


def _flow(column: Column, *, used: bool) -> str:
    facts = [f"name: {quoted(column.name)}", f"type: {column.type}", "nullable: true"]
    facts += [] if used else ["input: false"]
    facts += [f"format: {quoted(column.format)}"] if column.format else []
    return f"{{ {', '.join(facts)} }}"


def _alias(text: str, one: Renamed) -> str:
    item = _column(text, one.name)
    known = _child(item, "aliases")
    if isinstance(known, SequenceNode) and known.value:
        return _append(text, known, quoted(one.delivered))
    if known is not None:
        return _replace(text, known, f"[{quoted(one.delivered)}]")
    return _put(text, item, "aliases", f"[{quoted(one.delivered)}]")


def _retype(text: str, typed: Retyped) -> str:
    text = _replace(text, _expect(_child(_column(text, typed.name), "type"), "type"), typed.delivered)
    if (old := _child(_column(text, typed.name), "format")) is not None:
        text = _cut_pair(text, _column(text, typed.name), old)
    if typed.format:
        text = _put(text, _column(text, typed.name), "format", quoted(typed.format))
    return text if {typed.declared, typed.delivered} <= _ALIKE else _unlist(text, typed.name)


def _list(text: str, name: str, place: str) -> str:
    features = _mapping(_child(_root(text), "features"), "features")
    known = _child(features, place)
    if isinstance(known, SequenceNode) and known.value:
        return _append(text, known, quoted(name))
    if known is not None:
        return _replace(text, known, f"[{quoted(name)}]")
    return _put(text, features, place, f"[{quoted(name)}]")


def _unlist(text: str, name: str) -> str:
    """Take a column out of every list of features, and out of the dates."""
    for place in _LISTS:
        found = _child(_mapping(_child(_root(text), "features"), "features"), place)
        if isinstance(found, SequenceNode):
            item = next((one for one in found.value if one.value == name), None)
            if item is not None:
                text = _drop_item(text, item) if len(found.value) > 1 else _empty(text, found)
    dates = _child(_mapping(_child(_root(text), "features"), "features"), "dates")
    if isinstance(dates, MappingNode) and (parts := _child(dates, name)) is not None:
        text = _cut_pair(text, dates, parts) if len(dates.value) > 1 else _replace(text, dates, "{}")
    return text


# ---- places in the text


def _root(text: str) -> MappingNode:
    return _mapping(yaml.compose(text, Loader=yaml.SafeLoader), "the file")


def _columns(text: str) -> SequenceNode:
    found = _child(_root(text), "columns")
    if not isinstance(found, SequenceNode):
        raise SpecError("`columns` is no list.")
    return found


def _column(text: str, name: str) -> MappingNode:
    for item in _columns(text).value:
        if isinstance(item, MappingNode) and (known := _child(item, "name")) is not None and known.value == name:
            return item
    raise SpecError(f"No column is called {name!r}.")


def _child(node: Node, key: str) -> Node | None:
    pairs = node.value if isinstance(node, MappingNode) else ()
    return next((value for name, value in pairs if isinstance(name, ScalarNode) and name.value == key), None)


def _mapping(node: Node | None, what: str) -> MappingNode:
    if not isinstance(node, MappingNode):
        raise SpecError(f"{what} is no mapping.")
    return node


def _expect(node: Node | None, what: str) -> Node:
    if node is None:
        raise SpecError(f"A column says no {what}.")
    return node


def _end(node: Node) -> int:
    """Return where a node's own text ends; the parser lets a block end where the next thing begins."""
    if not isinstance(node, MappingNode | SequenceNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, MappingNode) else last)


def _line_end(text: str, place: int) -> int:
    found = text.find("\n", place)
    return len(text) if found < 0 else found


def _indent(text: str, node: Node) -> str:
    line = text[int(node.start_mark.index) - int(node.start_mark.column) :]
    return line[: len(line) - len(line.lstrip(" "))]


# ---- changes of the text


def _replace(text: str, node: Node, new: str) -> str:
    return text[: node.start_mark.index] + new + text[_end(node) :]


def _empty(text: str, node: SequenceNode) -> str:
    start = len(text[: node.start_mark.index].rstrip()) if not node.flow_style else int(node.start_mark.index)
    return f"{text[:start]}{'' if node.flow_style else ' '}[]{text[_end(node) :]}"


def _append(text: str, items: SequenceNode, new: str, comment: str = "") -> str:
    last = items.value[-1]
    if items.flow_style:
        return f"{text[: _end(last)]}, {new}{text[_end(last) :]}"
    at = _line_end(text, _end(last))
    note = f" # {comment}" if comment else ""
    return f"{text[:at]}\n{_indent(text, last)}- {new}{note}{text[at:]}"


def _put(text: str, node: MappingNode, key: str, value: str) -> str:
    """Add a pair at the end of a mapping that has one already."""
    if node.flow_style:
        at = _end(node.value[-1][1]) if node.value else int(node.start_mark.index) + 1
        return f"{text[:at]}{', ' if node.value else ''}{key}: {value}{text[at:]}"
    at = _line_end(text, _end(node))
    return f"{text[:at]}\n{' ' * int(node.value[0][0].start_mark.column)}{key}: {value}{text[at:]}"


def _drop_item(text: str, item: Node) -> str:
    """Take an item out of a list: its lines when it stands on lines of its own, else its text and one comma."""
    begin = int(item.start_mark.index) - int(item.start_mark.column)
    if text[begin : item.start_mark.index].strip() == "-":
        return text[:begin] + text[_line_end(text, _end(item)) + 1 :]
    return _cut(text, int(item.start_mark.index), _end(item))


def _cut_pair(text: str, node: MappingNode, value: Node) -> str:
    key = next(name for name, one in node.value if one is value or one.start_mark.index == value.start_mark.index)
    if node.flow_style:
        return _cut(text, int(key.start_mark.index), _end(value))
    begin = int(key.start_mark.index) - int(key.start_mark.column)
    if text[begin : key.start_mark.index].strip():
        raise SpecError("A column whose first line names its format is changed by hand.")
    return text[:begin] + text[_line_end(text, _end(value)) + 1 :]


def _cut(text: str, start: int, end: int) -> str:
    before, after = text[:start], text[end:]
    if after.lstrip().startswith(","):
        return before + after.lstrip()[1:].lstrip(" ")
    return before.rstrip().removesuffix(",") + after
