"""`python -m cli.product_schema` writes `products/product.schema.json`, by which editors check and complete."""

from __future__ import annotations

from pathlib import Path

from lifecycle.product_writing import SCHEMA_FILE
from lifecycle.spec import schema_text


def write(products: Path) -> Path:
    """Write the schema beside the products and return its path. A second call writes the same again."""
    path = products / SCHEMA_FILE
    path.write_text(schema_text(), encoding="utf-8")
    return path


if __name__ == "__main__":
    write(Path("products"))
