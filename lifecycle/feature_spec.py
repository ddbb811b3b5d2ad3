"""What a product declares as features: which raw columns come in, and what is made of them.

Nothing is fitted here; `lifecycle/features.py` fits it and makes the matrix.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from lifecycle.columns import Column
from lifecycle.encoding import FeatureError
from lifecycle.past import PastSpec
from lifecycle.transforms import Transform, check


@dataclass(frozen=True)
class FeatureSpec:
    """What a product declares: raw `inputs`, and which of them or of the derived columns are features.

    `numbers` and `categories` (name to the most levels kept) name raw or derived columns, `encoded` raw ones whose
    many levels become mean labels. `hook` is the source text of the product's features.py, or None. `past`: what is
    made of earlier rows, or None.
    """

    inputs: tuple[Column, ...]
    numbers: tuple[str, ...] = ()
    categories: Mapping[str, int] = field(default_factory=dict)
    hook: str | None = None
    transforms: tuple[Transform, ...] = ()
    encoded: Mapping[str, int] = field(default_factory=dict)
    past: PastSpec | None = None

    def __post_init__(self) -> None:
        """Refuse names that are listed twice or that nothing provides."""
        names = {column.name: column for column in self.inputs}
        if self.past is not None:
            names |= _joined(self.past, names)
        features = [*self.names, *self.encoded]
        for kind, listed in (("input", [column.name for column in self.inputs]), ("feature", features)):
            if twice := [name for name, times in Counter(listed).items() if times > 1]:
                raise FeatureError(f"The {kind} {twice[0]!r} is listed twice.")
        if not features:
            raise FeatureError("There are no features; list at least one under numbers or categories.")
        for transform in self.transforms:
            check(transform, names)
        if strange := [name for name in self.encoded if name not in names]:
            raise FeatureError(f"The feature {strange[0]!r} is to be encoded and is no input.")
        plain = (*self.numbers, *self.categories)
        if self.hook is None and (unknown := [name for name in plain if name not in names]):
            raise FeatureError(
                f"The feature {unknown[0]!r} is no input and there is no features.py to derive it; "
                f"inputs and joined columns are {', '.join(names)}."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names that are known before anything is fitted, all but the mean labels."""
        return (*self.leading, *self.categories)

    @property
    def leading(self) -> tuple[str, ...]:
        """Feature names that stand before the mean labels in the matrix: numbers, declared transforms, histories."""
        histories = () if self.past is None else self.past.feature_names
        return (*self.numbers, *(one.name for one in self.transforms), *histories)


def _joined(past: PastSpec, inputs: Mapping[str, Column]) -> dict[str, Column]:
    """Return the columns of joined tables. Raises FeatureError when a row could not be placed in the past."""
    if absent := [name for name in past.needs if name not in inputs]:
        raise FeatureError(f"The past is looked up by {absent[0]!r}, which is no input.")
    return {column.name: column for column in past.joined}
