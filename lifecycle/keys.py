"""The grammar of the bucket's keys: which key belongs to whom, and which is never a delivery.

Standard library only, because the bridge function starts with nothing else; `lifecycle.batch` says what
the things under these keys are.
"""

from __future__ import annotations

import re
from typing import Literal

PRODUCT_NAME = r"[a-z][a-z0-9-]{0,30}"
"""What a product may be called: it is part of keys, of resource ids and of a function's name."""

PARTS = ".parts"
"""How a folder's name ends whose files are one delivery together."""

Zone = Literal["landing", "validated", "quarantine"]


def landing_prefix(product: str) -> str:
    """Return the prefix producers write under."""
    return f"landing/{product}/"


def product_of(key: str) -> str | None:
    """Return the product a landing key belongs to, or None when the key is not in a product's landing zone."""
    return _below("landing", key)


def labels_prefix(product: str) -> str:
    """Return the prefix label files are written under."""
    return f"labels/{product}/"


def labelled_product(key: str) -> str | None:
    """Return the product a label file belongs to, or None when the key is none of a label file."""
    return _below("labels", key)


def is_marker(key: str) -> bool:
    """Say whether a key is a folder marker, a hidden or unfinished file, which is never a delivery."""
    name = key.rpartition("/")[2]
    return not name or name.startswith(("_", ".")) or name.endswith((".tmp", ".crc", ".inprogress"))


def parts_folder(key: str) -> str | None:
    """Return the folder whose files are one delivery, `landing/<product>/…<name>.parts`; None outside of such one."""
    product = product_of(key)
    if product is None:
        return None
    names = key.removeprefix(landing_prefix(product)).split("/")
    ends = (at for at, name in enumerate(names[:-1]) if name.endswith(PARTS) and name != PARTS)
    end = next(ends, None)
    return None if end is None else landing_prefix(product) + "/".join(names[: end + 1])


def place_of(key: str) -> str:
    """Return what is delivered with a landing key: the folder of its parts, or the file itself."""
    return parts_folder(key) or key


def batch_prefix(zone: Zone, product: str, batch_id: str) -> str:
    """Return the folder of a batch in a zone."""
    return f"{zone}/{product}/{batch_id}/"


def delivery_key(product: str, delivery_id: str) -> str:
    """Return the key of the record of one delivery."""
    return f"control/{product}/deliveries/{delivery_id}.json"


def waiting_prefix(product: str) -> str:
    """Return the folder that names the deliveries that wait for parts."""
    return f"control/{product}/waiting/"


def _below(zone: str, key: str) -> str | None:
    first, _, rest = key.partition("/")
    product, _, name = rest.partition("/")
    is_product = first == zone and re.fullmatch(PRODUCT_NAME, product) is not None
    return product if is_product and name else None
