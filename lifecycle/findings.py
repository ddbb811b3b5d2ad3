"""Why a release is where it is: the codes. What each means, and what to do about it, is docs/releases.md.

Scripts and people rely on them; a code is never reused.
"""

from __future__ import annotations

from enum import StrEnum


class Finding(StrEnum):
    """One reason of a verdict, of the controller or of a person."""

    # taken back
    SPLIT_BROKEN = "SPLIT_BROKEN"  # requests are not split as configured, so no other evidence counts
    ALARM = "ALARM"
    HARM = "HARM"  # more bad answers than the champion's, beyond the margin
    CEILING = "CEILING"  # more bad answers at full weight than tolerated
    WORSE_LABELS = "WORSE_LABELS"  # a larger loss on rows both models scored
    DEADLINE = "DEADLINE"  # not enough evidence in time
    TRAFFIC_MOVED = "TRAFFIC_MOVED"  # somebody else moved the alias: the guard, or a person
    NOT_ANSWERING = "NOT_ANSWERING"  # the endpoint never answered as the challenger at a step's weight
    ABORTED = "ABORTED"  # by a person
    SUPERSEDED = "SUPERSEDED"  # by a newer challenger, while nothing was learned of this one
    # held
    HELD = "HELD"  # by a person
    FROZEN = "FROZEN"
    WAITS_FOR_APPROVAL = "WAITS_FOR_APPROVAL"
    NO_TRAFFIC = "NO_TRAFFIC"
    BAKING = "BAKING"
    METRIC_MISSING = "METRIC_MISSING"
    METRIC_CONTRADICTS = "METRIC_CONTRADICTS"
    UNWATCHED = "UNWATCHED"  # the alarms of its version cannot be made sure of
    WEIGHT_DIFFERS = "WEIGHT_DIFFERS"  # the evidence is of another weight than the plan's
    TOO_FEW_REQUESTS = "TOO_FEW_REQUESTS"
    TOO_FEW_SCORES = "TOO_FEW_SCORES"
    TOO_FEW_PAIRS = "TOO_FEW_PAIRS"  # rows that both models scored, where the product limits how they differ
    LEANS_TO_HARM = "LEANS_TO_HARM"
    SCORES_SHIFTED = "SCORES_SHIFTED"  # for a person: a better model may differ
    ACTIONS_SHIFTED = "ACTIONS_SHIFTED"  # for a person
    DECISIONS_DIFFER = "DECISIONS_DIFFER"  # for a person: on more of the same rows than the product lets
    # gone on
    STEP_PASSED = "STEP_PASSED"
    ALL_STEPS_PASSED = "ALL_STEPS_PASSED"
    TRAFFIC_TOO_THIN = "TRAFFIC_TOO_THIN"  # to judge anything, and the product goes by the gate alone


# A deadline does not end these: a person was asked, or nobody asks anything and so nothing can be harmed.
HOLDS_ON = frozenset({Finding.HELD, Finding.FROZEN, Finding.NO_TRAFFIC})
FOR_A_PERSON = frozenset({Finding.SCORES_SHIFTED, Finding.ACTIONS_SHIFTED, Finding.DECISIONS_DIFFER})
# Nothing is learned while only these hold, so a newer challenger takes the place.
GIVES_WAY = frozenset({Finding.NO_TRAFFIC, Finding.WAITS_FOR_APPROVAL}) | FOR_A_PERSON
