"""The prediction log summed up: per hour of delivery one object of sums, and one of rows that labels can be joined to.

    predictions/<product>/dt=…/hour=… → metrics/<product>/parts/dt=…/hour=…/{sums.json, rows.parquet}

The log is streamed in chunks, so memory does not grow with it. A part whose objects are what they were is left alone;
made again from the same objects it is the same bytes. What is done with the sums is `lifecycle/examination.py`.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle import profiles
from lifecycle.bundle import Bundle
from lifecycle.errors import BundleError, ProductError
from lifecycle.label_book import Keys, keys_of
from lifecycle.log_part import HOUR, HourSketch, LogPart, hour_of, listing_of, part_key, rows_key
from lifecycle.predictions import Prediction, Repeats, read
from lifecycle.predictions import hour_of as delivered_in
from lifecycle.profiles import Reference
from lifecycle.refusal import ContractError
from lifecycle.sketching import NO_BUNDLE, Sketching, single
from lifecycle.values import read_values
from lifecycle.watched import watched
from tasks import objects, prediction_rows, predictions
from tasks.clients import s3
from tasks.predictions import LogObject
from tasks.rescoring import open_version
from tasks.step import note

# Records at a time: some tens of megabytes with a hundred columns, and numpy is past its own overhead.
CHUNK = 5_000


@dataclass(frozen=True)
class Model:
    """A bundle with its profile; None where the profile is of a format that cannot be compared with."""

    bundle: Bundle
    reference: Reference | None


@dataclass
class Models:
    """The models that answered, each fetched once. One that cannot be had is None: its rows are not looked at."""

    bucket: str
    function: str
    _known: dict[str, Model | None] = field(default_factory=dict)

    def of(self, record: Prediction) -> Model | None:
        """Return the model that answered a request."""
        if record.bundle is None:
            return None
        if record.bundle not in self._known:
            self._known[record.bundle] = self._open(record)
        return self._known[record.bundle]

    @property
    def all_read(self) -> bool:
        """Say whether every model asked for was had."""
        return None not in self._known.values()

    def known(self, bundle: str) -> Model | None:
        """Return a model that answered before."""
        return self._known.get(bundle)

    def _open(self, record: Prediction) -> Model | None:
        try:
            bundle = open_version(self.bucket, self.function, record).bundle
        except BundleError as error:
            note("bundle.unreadable", function=self.function, bundle=(record.bundle or "")[:12], error=str(error))
            return None
        return Model(bundle, reference_of(bundle))


def reference_of(bundle: Bundle) -> Reference | None:
    """Return a bundle's profile, or None, with a note, when it is of another format."""
    try:
        return profiles.read(bundle.reference)
    except BundleError as error:
        note("profile.unreadable", bundle=bundle.digest[:12], error=str(error))
        return None


def summarise(bucket: str, product: str, models: Models, since: datetime, now: datetime) -> tuple[LogPart, ...]:
    """Bring the parts of the hours from `since` on up to date and return those that were made; a second call: none."""
    made = []
    found = predictions.objects(bucket, product, since, now)
    for hour, group in groupby(found, key=lambda one: delivered_in(one.key)):
        if hour is None:
            continue
        listed = list(group)
        known = read_part(bucket, product, hour)
        if known is not None and known.listing == _listing(listed):
            continue
        made.append(make_part(bucket, product, hour, listed, models))
    return tuple(made)


@dataclass
class Parts:
    """The parts of a product, each read once."""

    bucket: str
    product: str
    _known: dict[datetime, LogPart] = field(default_factory=dict)

    def newest_first(self, since: datetime, now: datetime) -> Iterator[LogPart]:
        """Yield the parts delivered from `since` to `now`, the newest first; hours without traffic are empty ones."""
        hour = hour_of(now)
        while hour + HOUR > since:
            if hour not in self._known:
                self._known[hour] = read_part(self.bucket, self.product, hour) or LogPart(hour=hour, listing="")
            yield self._known[hour]
            hour -= HOUR


def read_part(bucket: str, product: str, hour: datetime) -> LogPart | None:
    """Return the sums of an hour of delivery, or None when there are none yet."""
    found = objects.read(bucket, part_key(product, hour))
    return None if found is None else LogPart.model_validate_json(found.body)


def make_part(bucket: str, product: str, hour: datetime, listed: Sequence[LogObject], models: Models) -> LogPart:
    """Write an hour's rows, then its sums. With a model unread they name no listing: the next look makes them again."""
    reading = Reading(models, before=prediction_rows.keys_in(bucket, rows_key(product, hour - HOUR)))
    with tempfile.TemporaryDirectory(prefix="rows-") as folder:
        path = Path(folder, "rows.parquet")
        sum_up(reading, _lines(bucket, listed), path)
        s3().upload_file(str(path), bucket, rows_key(product, hour))
    part = reading.part(hour, _listing(listed) if models.all_read else "")
    body = part.model_dump_json().encode()
    s3().put_object(Bucket=bucket, Key=part_key(product, hour), Body=body, ContentType="application/json")
    note("part.made", product=product, hour=hour.isoformat(), records=part.records, repeats=part.repeats)
    return part


def sum_up(reading: Reading, lines: Iterator[bytes], path: Path) -> None:
    """Add up lines of the log and write their rows to a file; memory does not grow with their number."""
    with prediction_rows.writer(path) as write:
        for chunk in _chunks(lines, CHUNK):
            write(*reading.take(chunk))


@dataclass
class Reading:
    """Adds up one part, chunk by chunk. `before`: sorted keys of the part before, whose tail may be delivered twice."""

    models: Models
    before: Keys
    repeats: Repeats = field(default_factory=Repeats)
    sums: dict[tuple[datetime, str], Sketching] = field(default_factory=dict)
    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def take(self, lines: Sequence[bytes]) -> tuple[Keys, list[Prediction], list[int]]:
        """Count a chunk of lines; return the keys of its rows, the records, and how many rows each has."""
        records = self._fresh(lines)
        rows: dict[tuple[datetime, str, tuple[str, ...]], list[Any]] = defaultdict(list)
        scores: dict[tuple[datetime, str], list[float]] = defaultdict(list)
        for record in records:
            place = (hour_of(record.at), record.bundle or NO_BUNDLE)
            self._sketching(place, record).add_request(record)
            if not record.live or record.scores is None:
                continue
            scores[place].extend(map(single, record.scores))
            if record.features is not None and record.columns is not None:
                rows[*place, record.columns].extend(record.features)
        for place, found in scores.items():
            self.sums[place].add_scores(np.asarray(found, dtype=np.float64))
        for (hour, bundle, columns), found_rows in rows.items():
            self._describe(self.sums[hour, bundle], columns, found_rows)
        answered = [record for record in records if record.live and record.scores]
        sizes = [len(record.scores or ()) for record in answered]
        names = (f"{one.request_id}-{one.first_row + row}" for one in answered for row in range(len(one.scores or ())))
        return keys_of(names), answered, sizes

    def part(self, hour: datetime, listing: str) -> LogPart:
        """Return the sums."""
        made = sorted(self.sums.items(), key=lambda item: item[0])
        sketches = tuple(HourSketch(hour=at, sketch=one.sketch()) for (at, _), one in made)
        return LogPart(hour=hour, listing=listing, sketches=sketches, **self.counts)

    def _fresh(self, lines: Sequence[bytes]) -> list[Prediction]:
        """Return the records that were not here before."""
        found = [record for record in map(read, lines) if record is not None]
        self.counts["strangers"] += len(lines) - len(found)
        known = _among(self.before, keys_of(f"{one.request_id}-{one.first_row}" for one in found))
        fresh = [one for one, met in zip(found, known, strict=True) if not met and self.repeats.is_new(one)]
        self.counts["records"] += len(fresh)
        self.counts["repeats"] += len(found) - len(fresh)
        return fresh

    def _sketching(self, place: tuple[datetime, str], record: Prediction) -> Sketching:
        if place not in self.sums:
            model = self.models.of(record)
            self.sums[place] = Sketching(place[1], model.reference if model else None)
        return self.sums[place]

    def _describe(self, sums: Sketching, columns: tuple[str, ...], rows: Sequence[Sequence[object]]) -> None:
        model = self.models.known(sums.bundle)
        if model is None or model.reference is None:
            self.counts["undescribed"] += len(rows)
            return
        given = dict(zip(columns, zip(*rows, strict=True), strict=True))
        try:
            sums.add_columns(watched(model.bundle.features, _columns(model.bundle, given)))
        except (ContractError, ProductError) as error:
            self.counts["undescribed"] += len(rows)
            note("rows.undescribed", bundle=sums.bundle[:12], rows=len(rows), error=type(error).__name__)


def _columns(bundle: Bundle, given: Mapping[str, Sequence[object]]) -> dict[str, Any]:
    contract = bundle.contract
    return {
        column.name: read_values(column, given[column.name], max_string=contract.max_string)
        for column in contract.columns
        if column.name in given
    }


def _among(known: Keys, asked: Keys) -> list[bool]:
    """Say of each key whether it is one of the sorted ones."""
    if not len(known) or not len(asked):
        return [False] * len(asked)
    places = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return [bool(one) for one in known[places] == asked]


def _lines(bucket: str, listed: Sequence[LogObject]) -> Iterator[bytes]:
    for one in listed:
        yield from predictions.lines(bucket, one.key)


def _chunks(lines: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    while chunk := list(islice(lines, size)):
        yield chunk


def _listing(listed: Sequence[LogObject]) -> str:
    return listing_of((one.key, one.size, one.modified) for one in listed)
