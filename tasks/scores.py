"""The scores of batches in the bucket: what is scored already, the data to score, and the commit of what was scored."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from lifecycle.batch import BatchManifest, StoredFile, shown
from lifecycle.errors import BatchError, ServiceError
from lifecycle.scoring import ScoresManifest, scores_key
from tasks import objects
from tasks.clients import s3

_STEP = 1 << 20
_LIMIT = 1_000_000
_PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Named:
    """What is scored: the sha256 hex of its bytes, and where they came from."""

    batch_id: str
    source: str
    object_version: str | None = None


def named(source: str, data: bytes, object_version: str | None = None) -> Named:
    """Name a file by its bytes."""
    return Named(sha256(data).hexdigest(), source, object_version)


def find(bucket: str, product: str, model_version: str, batch_id: str) -> ScoresManifest | None:
    """Return the manifest of a batch's scores by one model, or None. Raises ServiceError when it is none."""
    key = scores_key(product, model_version, batch_id, "json")
    stored = objects.read(bucket, key)
    if stored is None:
        return None
    try:
        return ScoresManifest.model_validate_json(stored.body)
    except ValidationError as error:
        raise ServiceError(
            f"s3://{bucket}/{key} is no manifest of scores.",
            detail=str(error.errors()[0]["msg"]),
            resolution="Delete it and score the batch again: the same rows and model make the same scores.",
        ) from error


def unscored(bucket: str, product: str, model_version: str) -> tuple[str, ...]:
    """Return the validated batches a model has no scores of, by id."""
    validated = objects.keys(bucket, f"validated/{product}/", limit=_LIMIT)
    scored = set(objects.keys(bucket, f"scores/{product}/{model_version}/", limit=_LIMIT))
    ids = (key.split("/")[2] for key in validated if key.endswith("/manifest.json"))
    return tuple(one for one in ids if scores_key(product, model_version, one, "json") not in scored)


def download(bucket: str, manifest: BatchManifest, path: Path) -> None:
    """Fetch a batch's data, the object version that was published. Raises BatchError when its bytes are others."""
    data, digest = manifest.data, sha256()
    version: dict[str, Any] = {"VersionId": data.object_version} if data.object_version else {}
    try:
        answer = s3().get_object(Bucket=bucket, Key=data.key, **version)
        with closing(answer["Body"]) as body, path.open("wb") as file:
            for piece in body.iter_chunks(_STEP):
                digest.update(piece)
                file.write(piece)
    except (ClientError, BotoCoreError) as error:
        raise ServiceError(f"S3 would not read s3://{bucket}/{data.key}.", detail=str(error)) from error
    if digest.hexdigest() != data.sha256:
        raise BatchError(
            f"Batch {manifest.product}/{shown(manifest.batch_id)} is not as it was published, so it is not scored.",
            detail=f"{data.key} has sha256 {digest.hexdigest()[:12]}, expected {data.sha256[:12]}.",
            resolution="The bucket keeps every object version: restore the published one.",
        )


def commit(bucket: str, path: Path, manifest: ScoresManifest) -> ScoresManifest:
    """Upload scores, then their manifest once; return the manifest that stands.

    The loser of two returns the winner's: both scored the same. Dying between the two, the next one begins anew.
    """
    product, version, batch_id = manifest.product, manifest.model_version, manifest.batch_id
    key = manifest.data.key
    try:
        with path.open("rb") as file:
            answer = s3().put_object(Bucket=bucket, Key=key, Body=file, ContentType=_PARQUET)
    except (ClientError, BotoCoreError) as error:
        raise ServiceError(f"S3 would not write s3://{bucket}/{key}.", detail=str(error)) from error
    data = manifest.data.model_copy(update={"object_version": answer.get("VersionId")})
    body = manifest.model_copy(update={"data": data}).model_dump_json(indent=1).encode()
    objects.create(bucket, scores_key(product, version, batch_id, "json"), body)
    found = find(bucket, product, version, batch_id)
    if found is None:
        raise ServiceError(f"The manifest of the scores in s3://{bucket}/{key} was deleted while it was written.")
    return found


def stored(path: Path, key: str) -> StoredFile:
    """Describe a file that is, or will be, stored under a key."""
    digest = sha256()
    with path.open("rb") as file:
        read_on: Callable[[], bytes] = partial(file.read, _STEP)
        for piece in iter(read_on, b""):
            digest.update(piece)
    return StoredFile(key=key, sha256=digest.hexdigest(), size=path.stat().st_size)
