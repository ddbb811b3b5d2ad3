# ruff: noqa: ANN401, SLF001 - a patch wraps another package's private functions, and their types are its own
"""Log groups and their subscriptions survive `kill -9`: their contents are too many to be written all the time.

ministack keeps a group and its lines together, and `durability.py` leaves them to a clean stop. Without its group a
function goes on and nobody hears what it says. With the patch the groups, without lines, are written whenever one
is changed, before the change is answered.
"""

from __future__ import annotations

import functools
import inspect
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ministack.app as gateway
from ministack.core import persistence
from ministack.services import cloudwatch_logs

from localcloud.patches.registry import Patch

_CHANGES = (
    "_create_log_group",
    "_delete_log_group",
    "_put_retention_policy",
    "_delete_retention_policy",
    "_put_subscription_filter",
    "_delete_subscription_filter",
)


def patch() -> Patch:
    """Return the patch; nothing is changed yet."""
    return Patch(
        name="subscriptions",
        lack="log groups and their subscriptions are lost at a kill",
        needed=lambda: "save_state" not in inspect.getsource(cloudwatch_logs),
        apply=_apply,
    )


def _apply() -> None:
    if not persistence.PERSIST_STATE:
        return
    path = Path(persistence.STATE_DIR) / "log-groups.json"
    writing = threading.Lock()
    for name in _CHANGES:
        setattr(cloudwatch_logs, name, _writing(getattr(cloudwatch_logs, name), path, writing))
    gateway._load_persisted_state = _restoring(gateway._load_persisted_state, path)


def _writing(original: Callable[..., Any], path: Path, writing: threading.Lock) -> Callable[..., Any]:
    @functools.wraps(original)
    def written(data: dict[str, Any]) -> Any:
        answer = original(data)
        groups = [[*key, {**group, "streams": {}}] for key, group in cloudwatch_logs._log_groups.all_items()]
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        with writing:
            draft.write_text(json.dumps(groups))
            draft.replace(path)
        return answer

    return written


def _restoring(original: Callable[[], None], path: Path) -> Callable[[], None]:
    """After a start, bring the groups to what was written last; the lines of a clean stop stay where they are."""

    @functools.wraps(original)
    def restored() -> None:
        original()
        groups = json.loads(path.read_text()) if path.exists() else []
        for account_id, region, name, group in groups:
            known = cloudwatch_logs._log_groups.get_scoped(account_id, region, name) or {}
            whole = {**group, "streams": known.get("streams", {})}
            cloudwatch_logs._log_groups.set_scoped(account_id, region, name, whole)

    return restored
