"""The codes of every reason a delivery, or some of its rows, can be refused or remarked upon.

Scripts and people rely on the codes; the sentences around them may change. A code is never reused.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """What is the matter: with the delivery, the file, its columns, its rows, or the values in them."""

    # the delivery
    KEY = "KEY"  # the key is not one of this product's landing keys
    OBJECT_GONE = "OBJECT_GONE"  # deleted before it was read
    DUPLICATE_BATCH = "DUPLICATE_BATCH"  # the same bytes are validated already
    # the files of a delivery that has several
    PARTS_MISSING = "PARTS_MISSING"  # the manifest, or a part as the manifest promises it, has not come
    PARTS_MANIFEST = "PARTS_MANIFEST"  # the manifest cannot be read
    PART_ROWS = "PART_ROWS"  # a part has another number of rows than the manifest says
    EXTRA_PART = "EXTRA_PART"  # a remark: the manifest does not list it, so it is left out
    # the file
    EMPTY_FILE = "EMPTY_FILE"
    TOO_LARGE = "TOO_LARGE"  # more bytes than the product allows
    EXPANSION = "EXPANSION"  # would decompress to more than the product allows
    TOO_MANY_ROWS = "TOO_MANY_ROWS"
    TOO_MANY_COLUMNS = "TOO_MANY_COLUMNS"
    TOO_MANY_CELLS = "TOO_MANY_CELLS"
    NOT_PARQUET = "NOT_PARQUET"  # named Parquet, holds something else
    NOT_CSV = "NOT_CSV"  # an error page, an archive, Parquet under the name of a CSV
    PARQUET_FOOTER = "PARQUET_FOOTER"
    PARQUET_PAGE = "PARQUET_PAGE"  # the footer opens, the data does not
    NO_CHECKSUMS = "NO_CHECKSUMS"  # a remark: damage to this Parquet file could not be noticed
    GZIP_EOF = "GZIP_EOF"
    GZIP_DAMAGED = "GZIP_DAMAGED"
    ENCODING = "ENCODING"
    NUL_BYTES = "NUL_BYTES"
    TRUNCATED = "TRUNCATED"
    DIALECT = "DIALECT"
    PARSE = "PARSE"  # an open or stray quote makes rows uncountable
    # its columns
    NO_HEADER = "NO_HEADER"
    MISSING_COLUMN = "MISSING_COLUMN"
    DUPLICATE_COLUMN = "DUPLICATE_COLUMN"
    EXTRA_COLUMN = "EXTRA_COLUMN"  # a remark, never a refusal
    NO_LABELS = "NO_LABELS"  # a remark: the target column is not there yet, so nothing is learned from the rows
    # its rows
    NO_ROWS = "NO_ROWS"
    FIELD_COUNT = "FIELD_COUNT"
    REPEATED_HEADER = "REPEATED_HEADER"
    TYPE = "TYPE"
    MISSING_VALUE = "MISSING_VALUE"
    NON_FINITE = "NON_FINITE"
    FIELD_LENGTH = "FIELD_LENGTH"
    DUPLICATE_ROW = "DUPLICATE_ROW"  # an exact repeat of a row of the same delivery
    CONFLICTING_ROWS = "CONFLICTING_ROWS"  # same grain, other values
    PERIOD = "PERIOD"  # of another period than the name tells
    TOO_MANY_BAD_ROWS = "TOO_MANY_BAD_ROWS"
    # its place among the other batches
    LATE = "LATE"  # a remark: rows of a period that newer batches have left behind
    SUPERSEDES = "SUPERSEDES"  # a remark: what it replaces
    PART_OF_PERIOD = "PART_OF_PERIOD"  # a remark: so much smaller than what its period has that it replaces nothing
    # their values, found by an expectation suite
    RANGE = "RANGE"
    CATEGORY = "CATEGORY"
    PATTERN = "PATTERN"
    LENGTH = "LENGTH"
    NULL_RATE = "NULL_RATE"
    UNIQUE = "UNIQUE"
    ROW_COUNT = "ROW_COUNT"
    COLUMNS = "COLUMNS"
    DISTRIBUTION = "DISTRIBUTION"
    CROSS_FIELD = "CROSS_FIELD"
    EXPECTATION = "EXPECTATION"  # a rule of a kind that has no code of its own
    NOT_JUDGED = "NOT_JUDGED"  # a rule that broke, or had nothing to look at
