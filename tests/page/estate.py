"""A product with a past, written by the code that writes it in earnest: models, deliveries, requests, labels, looks.

Its names are what a careless or hostile producer might send.
"""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import xgboost

from lifecycle import bundle as bundles
from lifecycle import spec
from lifecycle.batch import Reason, RowCounts
from lifecycle.bundle import Bundle
from lifecycle.causes import Cause
from lifecycle.challenge import Challenge, HoldoutWindow, Judgement, Recorder
from lifecycle.columns import Column
from lifecycle.contract import Contract, Task
from lifecycle.control import Actor, Contender, Move, promote, settle
from lifecycle.delivery import LandedObject, Outcome, Worker
from lifecycle.evaluation import Scorecard
from lifecycle.evidence import Arm, Evidence, StepEvidence
from lifecycle.features import FeatureSpec, fit
from lifecycle.findings import Finding
from lifecycle.ledger import Entry
from lifecycle.manifest import Lineage, Release
from lifecycle.maturity import Stretch, newest_due
from lifecycle.metrics import calibration_error, value
from lifecycle.performance import realise
from lifecycle.predictions import Prediction
from lifecycle.promotion import Verdict
from lifecycle.reference import OnHoldout, profile
from lifecycle.response import Ground, Response
from lifecycle.rollout import Progress
from lifecycle.settings import Settings
from lifecycle.spec import Product
from lifecycle.stepping import Judged, begin, hold, settle_step, step
from lifecycle.taken import cause_of
from lifecycle.watched import watched
from tasks import control, deliveries, function_versions, labels, ledger, monitoring, outcomes, responding, summaries
from tasks.outcomes import Final
from tasks.packages import pack, to_sha256
from tasks.summaries import Model
from tasks.training import gains
from tests.conftest import Aws
from tests.monitor.conftest import Drawn, Shop, draw

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SCRIPT, FORMULA = "<script>alert(1)</script>", "=cmd|' /C calc'!A0"
NASTY = {"amount": f"amount {SCRIPT}", "income": '$income$ & "more"', "kind": "kind", "unused": "unused"}
LEVELS = {"car": SCRIPT, "home": FORMULA, "edu": "école 日本 \u202egnp.exe"}
PRODUCT_YAML = """
name: loans
description: Is a loan paid back within a year? Made up, with names nobody should choose.
task: binary
grain: [id]
time: at
columns:
  - {name: id, type: long, input: false}
  - {name: at, type: datetime, input: false}
  - {name: paid, type: double, input: false}
  - {name: amount, type: double}
target: {column: paid}
features: {numbers: [amount]}
evaluation: {metric: auc, floors: {auc: 0.5}}
release: {steps: [5, 25, 50, 100]}
monitor: {window: 24h, reach: 7d, min_rows: 300, outcomes: {due: 1d, resamples: 200}}
"""


def drawn(seed: int, rows: int, **changes: float) -> Drawn:
    """Return rows under their nasty names."""
    plain = draw(seed, rows, **changes)
    columns = {NASTY[name]: values for name, values in plain.columns.items()}
    columns["kind"] = np.array([LEVELS[one] for one in columns["kind"]], dtype=object)
    return Drawn(columns, plain.labels)


SPEC = FeatureSpec(
    inputs=tuple(Column(NASTY[name], "string" if name == "kind" else "double") for name in NASTY),
    numbers=(NASTY["amount"], NASTY["income"], "unused"),
    categories={"kind": 8},
)


@dataclass(frozen=True)
class Made:
    """A bundle in its folder, and the model inside."""

    folder: Path
    bundle: Bundle
    model: xgboost.Booster


def make(folder: Path, seed: int) -> Made:
    """Train a small model and write its bundle with a genuine profile."""
    rows, held = drawn(seed, 3_000), drawn(seed + 1, 1_500)
    features = fit(SPEC, rows.columns)
    names = [f"f{at}" for at in range(len(features.feature_names))]  # XGBoost takes no brackets in names
    data = xgboost.DMatrix(
        features.transform(rows.columns),
        rows.labels,
        feature_names=names,
        feature_types=list(features.feature_types),
        enable_categorical=True,
    )
    model = xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "seed": seed}, data, 20)
    scores = np.asarray(model.inplace_predict(features.transform(held.columns)), dtype=np.float64)
    card = Scorecard(
        rows=len(scores),
        base=float(held.labels.mean()),
        metrics={name: value(name, held.labels, scores) for name in ("auc", "log_loss", "brier")},
        calibration_error=calibration_error(held.labels, scores),
    )
    content = bytes(model.save_raw("ubj"))
    named = dict(zip(names, features.feature_names, strict=True))
    gained = {named[name]: share for name, share in gains(content).items() if named[name] != "unused"}
    reference = profile(watched(features, rows.columns), OnHoldout(scores, held.labels, card), gained)
    contract = Contract("loans", Task("binary", ("0", "1")), SPEC.inputs, {"kind": features.levels["kind"]})
    lineage = Lineage(snapshot="s" * 64, batches=("b" * 64,), rows=3_000, seed=seed)
    bundles.write(folder, bundles.Draft(content, features, contract, reference, lineage))
    return Made(folder, bundles.load(folder), model)


def settings_of(aws: Aws, root: Path) -> Settings:
    """Describe the product in a root of its own and return where everything is."""
    folder = root / "products" / "loans"
    folder.mkdir(parents=True)
    (folder / "product.yaml").write_text(PRODUCT_YAML, encoding="utf-8")
    found = {"bucket": aws.bucket(), "function_prefix": f"t{uuid.uuid4().hex[:8]}", "root": root}
    return Settings.model_validate({**found, "AWS_ENDPOINT_URL": aws.endpoint})


class Estate:
    """A product and everything that ever happened to it, up to `now`."""

    def __init__(self, aws: Aws, root: Path, made: Sequence[Made]) -> None:
        self.aws, self.made, self.now = aws, made, datetime.now(UTC)
        self.settings = settings_of(aws, root)
        self.product: Product = spec.load(self.settings.products, "loans")
        self.bucket = self.settings.bucket
        self.client: Any = boto3.session.Session().client("lambda")
        self.function = self.settings.predict_function("loans")
        self.client.create_function(
            FunctionName=self.function,
            Role="arn:aws:iam::000000000000:role/predict",
            Runtime="provided.al2023",
            Handler="functions.predict.handler.handler",
            MemorySize=512,
            Code={"ZipFile": _code()},
        )
        self.contenders = [self._published(str(at + 1), one) for at, one in enumerate(made)]
        self.champion, self.challenger = self.contenders[-2:]
        self.shop = Shop(aws, self.settings, made[-2].bundle, made[-2].model)

    def close(self) -> None:
        self.client.delete_function(FunctionName=self.function)
        self.client.close()

    def fill(self) -> None:
        """Let everything happen."""
        self._deliver()
        self._promote()
        self._challenge()
        self._ask()
        self._label()
        self._look()
        self._release()
        self.now = datetime.now(UTC)

    def _published(self, version: str, made: Made) -> Contender:
        package = pack(_code(), made.folder, Release(version, "2026-01-01T00:00:00+00:00"))
        published = function_versions.publish(self.bucket, self.function, package)
        return Contender(
            model_version=version,
            bundle=made.bundle.digest,
            function_version=published.number,
            mlflow_run=f"run-{version}",
            since=self.now - 6 * DAY,
            reason=f"AUC .81 against .78 on {SCRIPT} rows, lower bound of the difference +.012.",
        )

    def _deliver(self) -> None:
        outcomes = [
            Outcome("validated", "a" * 64, RowCounts(1_200, 1_190, 10), (_reason("RANGE", 10),)),
            Outcome("quarantined", "b" * 64, RowCounts(900, 0, 900), (_reason("MISSING_COLUMN", None),)),
            Outcome("duplicate", "a" * 64, RowCounts(1_200, 0, 0, 1_200)),
            Outcome("validated", "c" * 64, RowCounts(1_500, 1_500, 0)),
            Outcome("ignored"),
        ]
        for at, outcome in enumerate(outcomes):
            key = f"landing/loans/{FORMULA} {SCRIPT}-{at}.csv"
            landed = LandedObject(self.bucket, "loans", key, f"v{at}", f"etag{at}")
            deliveries.end_delivery(deliveries.claim_delivery(landed, Worker(f"run-{at}")), outcome)

    def _move(self, move: Move) -> None:
        assert move.verdict == "moved", move.reason
        held = control.read(self.bucket, "loans")
        control.write(self.bucket, held, move)
        if move.record.decision is not None and move.code != "settled":
            ledger.append(self.bucket, "loans", move.record.decision)

    def _record(self) -> Any:
        return control.read(self.bucket, "loans").record

    def _promote(self) -> None:
        for at, contender in enumerate(self.contenders[:-1]):
            by = Actor("release", self.now - (8 - 2 * at) * DAY)
            self._move(promote(self._record(), contender.model_copy(update={"since": by.now}), by))
            self._move(settle(self._record(), by))

    def _challenge(self) -> None:
        self._train("promote", self.now - 9 * DAY, "batch.validated", "1", None)
        self._train("promote", self.now - 7 * DAY, "batch.validated", "2", "1")
        for at in range(3):
            when = self.now - (70 - 20 * at) * HOUR
            key = f"retrain/performance/{when.isoformat()}/0"
            answer = Response("retrain", Cause.PERFORMANCE, (Ground.MODEL_SUFFERS,), (), key)
            responding.write_down(self.bucket, "loans", self._record(), answer, when)
            self._train("refuse", when + HOUR, cause_of(key), None, "2", worse=0.004 * (at + 1))
        self._train("promote", self.now - 8 * HOUR, "batch.validated", "3", "2")

    def _train(
        self, verdict: Verdict, at: datetime, cause: str, version: str | None, champion: str | None, worse: float = 0.0
    ) -> None:
        gain = -worse if worse else 0.014
        told = Challenge(
            product="loans",
            train_key=uuid.uuid4().hex,
            snapshot="5" * 64,
            batches=("a" * 64, "c" * 64),
            mlflow_run=f"run-{version}",
            verdict=verdict,
            reasons=(_reason("NOT_BETTER" if worse else "BETTER", None),),
            judgement=Judgement(
                metric="auc",
                challenger=0.8 + gain,
                champion=0.8,
                improvement=gain if champion else None,
                lower=gain - 0.008 if champion else None,
                upper=gain + 0.008 if champion else None,
                confidence=0.95,
            ),
            champion=champion,
            bundle=self.contenders[int(version) - 1].bundle if version else "e" * 64,
            candidate="all history",
            rows_trained=12_000,
            holdout=HoldoutWindow(after="2026-01-01", until="2026-02-01", rows=3_000, digest="d" * 64),
        )
        ledger.append(self.bucket, "loans", told.entry(version, Recorder("train", cause, at)))

    def _ask(self) -> None:
        """Answer requests for five days, the last of them about other people than the model was trained on."""
        seed = 100
        for hours in range(116, 1, -6):
            at, seed = self.now - hours * HOUR, seed + 1
            moved = max(0.0, (40 - hours) / 40)
            rows = drawn(seed, 240 + 30 * (seed % 5), moved=moved, missing=0.02 + (0.15 if hours < 12 else 0))
            served = {"model_version": "2", "function_version": self.champion.function_version}
            records = self.shop.answered(rows, at, **served)
            slow = np.random.default_rng(seed).exponential(6, len(records)).tolist()
            records = [one.model_copy(update={"latency_ms": 4 + late}) for one, late in zip(records, slow, strict=True)]
            records[0] = records[0].model_copy(update={"cold": True, "latency_ms": 900.0})
            if hours < 12:
                bad = {"status": 500, "rows": 0, "features": None, "scores": None, "reason": "ENGINE"}
                records[1:9] = [one.model_copy(update=bad) for one in records[1:9]]
            self.shop.deliver(records)
            self._asked = getattr(self, "_asked", [])
            self._asked.append((rows, records))
        served = {"model_version": "3", "function_version": self.challenger.function_version}
        canary = Shop(self.aws, self.settings, self.made[-1].bundle, self.made[-1].model)
        canary.deliver(canary.answered(drawn(99, 80, moved=0.9), self.now - 3 * HOUR, **served))
        self._count(6_080, 6_080 * 12.0)

    def _count(self, requests: float, milliseconds: float) -> None:
        """Count what Lambda counts of a function."""
        named = [{"Name": "FunctionName", "Value": self.function}]
        told = {"Invocations": requests, "Duration": milliseconds}
        at = self.now - 3 * HOUR
        client: Any = boto3.session.Session().client("cloudwatch")
        client.put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {"MetricName": name, "Dimensions": named, "Timestamp": at, "Value": number}
                for name, number in told.items()
            ],
        )
        client.close()

    def _label(self) -> None:
        """Tell what came of the first loans."""
        asked: list[tuple[Drawn, list[Prediction]]] = self._asked
        lines = ["prediction_id,label"]
        for rows, records in asked[:16]:
            truths = zip(records, rows.labels, strict=True)
            lines += [f"{one.request_id}-0,{int(truth)}" for one, truth in truths if one.scores]
        lines.append(f"{uuid.uuid4()}-0,1")  # of a prediction nobody made
        self.aws.s3.put_object(Bucket=self.bucket, Key="labels/loans/first.csv", Body="\n".join(lines).encode())

    def _look(self) -> None:
        fresh = bool(labels.take(self.bucket, self.product, datetime.now(UTC), 7 * DAY))
        assert fresh
        moments = [self.now - hours * HOUR for hours in (78, 66, 54, 42, 30, 18, 12, 6, 0)]
        place = monitoring.place_of(self.settings, self.product, self.now)
        champion, model = monitoring.champion_of(place)
        summaries.summarise(self.bucket, "loans", place.models, self.now - 8 * DAY, self.now)
        self._measure(champion, model)
        for at in moments:
            found = monitoring.look_at(
                monitoring.place_of(self.settings, self.product, at), champion, model, fresh=at == self.now
            )
            for final in found.finals:
                monitoring.append_final(self.bucket, "loans", final)

    def _measure(self, champion: Contender, model: Model) -> None:
        """Tell how the model did in the windows before the newest one, as looks at the time would have."""
        assert model.reference is not None
        policy = self.product.monitor
        book = labels.book(self.bucket, "loans", datetime.now(UTC), 14 * DAY)
        newest = newest_due(policy, self.now)
        assert newest is not None
        for days in (2, 1):
            stretch = Stretch(newest.since - days * DAY, newest.until - days * DAY)
            joined = outcomes.join(self.bucket, "loans", model.bundle, stretch, book, self.now)
            told = realise("auc", model.reference, joined.outcomes, policy.outcomes, self.now)
            estimated = None if told.value is None else told.value + 0.01
            final = Final(
                model_version=champion.model_version, bundle=champion.bundle, realised=told, estimated=estimated
            )
            monitoring.append_final(self.bucket, "loans", final)

    def _release(self) -> None:
        """Bring the challenger to its second step, where it is held."""
        plan = self.product.release
        by = Actor("release", self.now - 3 * HOUR)
        self._move(begin(self._record(), self.challenger, plan, by))
        seen = Evidence()
        for at, weight in enumerate((0.05, 0.25)):
            by = Actor("release", self.now - (3 - at) * HOUR)
            judged = Judged(seen, by.now, (_reason(Finding.STEP_PASSED, None),))
            self._move(step(self._record(), Progress(step=at, since=by.now), judged, by, alias_revision="r"))
            self._move(settle_step(self._record(), by))
            seen = Evidence(steps=(*seen.steps, _counts(at, weight)))
        by = Actor("release", self.now - 2 * timedelta(minutes=1))
        reasons = (Reason(Finding.LEANS_TO_HARM, "errors", "log e 1.40", "log e below 1.10"),)
        self._move(hold(self._record(), Judged(seen, by.now, reasons), by))

    def entries(self) -> tuple[Entry, ...]:
        """Return the ledger."""
        return ledger.entries(self.bucket, "loans")

    @property
    def champion_code(self) -> str:
        """Return where the code of the version that serves lies."""
        number = self.champion.function_version
        (sha256,) = [one.code_sha256 for one in function_versions.published(self.function) if one.number == number]
        return function_versions.code_key(self.function, to_sha256(sha256))


def _counts(at: int, weight: float) -> StepEvidence:
    ours, theirs = int(4_000 * weight), int(4_000 * (1 - weight))
    arms = [
        Arm(
            requests=requests,
            errors=requests // (60 if at == 1 and requests == ours else 200),
            slow=requests // 100,
            invalid=0,
            actions=requests // 3,
            scores=tuple(requests // 10 + shift for shift in shifts),
        )
        for requests, shifts in ((ours, (0, 4, 9, 3, 0, -3, -6, -2, 0, 1)), (theirs, (0,) * 10))
    ]
    return StepEvidence(step=at, weight=weight, challenger=arms[0], champion=arms[1], replayed=12 if at == 0 else 0)


def _reason(code: str, rows: int | None) -> Reason:
    return Reason(code, f"income {SCRIPT}", FORMULA, "at least 0", rows)


def _code() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0)), "#!/bin/sh\n")
    return out.getvalue()
