"""How a request is refused: one error with a stable code and one sentence that never quotes a value."""

from collections.abc import Sequence
from typing import Literal

from lifecycle.errors import TropismError

RefusalCode = Literal[
    "malformed",
    "missing_column",
    "missing_value",
    "no_rows",
    "not_finite",
    "ragged",
    "string_too_long",
    "too_many_rows",
    "wrong_type",
]


class ContractError(TropismError):
    """The caller's rows break the contract. `code` is stable; the sentence is for people."""

    def __init__(self, code: RefusalCode, sentence: str) -> None:
        """Keep the code apart from the sentence."""
        super().__init__(sentence)
        self.code: RefusalCode = code


def missing_columns(absent: Sequence[str], given: Sequence[str], declared: Sequence[str]) -> ContractError:
    """Return the refusal of a request without `absent`, with the misspelling that was probably meant."""
    strange = [name for name in given if name not in declared]
    meant = [(nearest(name, strange), name) for name in absent]
    hints = [f"You sent {found!r}; did you mean {name!r}?" for found, name in meant if found]
    plural = "column is" if len(absent) == 1 else "columns are"
    listed = ", ".join(repr(name) for name in absent)
    sentence = f"{len(absent)} required {plural} missing: {listed}."
    return ContractError("missing_column", " ".join([sentence, *hints]))


def did_you_mean(found: str, known: Sequence[str]) -> str:
    """Return a hint with a leading space, or nothing when no known name is near."""
    near = nearest(found, known)
    return f" Did you mean {near!r}?" if near else ""


def nearest(found: str, known: Sequence[str]) -> str | None:
    """Return the known name that was probably meant, if any."""
    import difflib  # noqa: PLC0415  only a refusal needs it, every cold start would pay for it

    return next(iter(difflib.get_close_matches(found, known, n=1)), None)
