"""`tropism status`: what serves, since when, why, and what is next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context, deliveries, frozen, output, releases
from cli.context import Here
from cli.services import RECENT
from cli.shapes import (
    Addresses,
    Cloud,
    Endpoint,
    Overview,
    ProductStatus,
    Report,
    Services,
    Serving,
    Store,
)
from lifecycle.errors import ServiceError

if TYPE_CHECKING:
    from lifecycle.control import Contender


_NEXT = {
    "waiting": "somebody approves the release: tropism approve PRODUCT",
    "moving": "traffic follows the control record",
    "rolling_back": "traffic goes back",
    "baking": "the step is watched",
    "held": "the release is looked at again; approve, hold or abort it as you see fit",
}


def status(
    product: Annotated[
        str | None, typer.Argument(metavar="PRODUCT", help="The product; without it, all of them and the services.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the status as an object.")] = False,
) -> None:
    """Show what serves. The version at the endpoint is what the endpoint itself answers over HTTP.

    Warnings about services that do not answer and automations that failed to act go to stderr.

    Example: tropism status flights
    """
    here = context.here(product)
    names = (product,) if product else here.products()
    found = tuple(of_product(here, name) for name in names)
    warn(here)
    if as_json:
        output.emit(found[0] if product else Overview(found, services(here)))
        return
    for one in found:
        tell(one)
    if not found:
        output.say("There is no product yet. Add one as products/NAME/product.yaml.")
    if product is None:
        tell_services(services(here))


def of_product(here: Here, product: str) -> ProductStatus:
    """Put together what the control record, the bucket and the endpoint say."""
    from tasks import control

    record = control.read(here.bucket, product).record
    zones = deliveries.zones(here.bucket, product)
    return ProductStatus(
        product=product,
        champion=_serving(record.champion),
        challenger=_serving(record.challenger),
        weight=record.weight,
        release=releases.step(record),
        endpoint=endpoint(here, product),
        batches=zones,
        report=report(here, product),
        frozen=record.frozen,
        freeze=frozen.freeze(here.bucket, record, zones),
        waiting=deliveries.waiting(here.bucket, product),
    )


def endpoint(here: Here, product: str) -> Endpoint:
    """Ask the endpoint who answers; one that does not answer is warned about and has no version."""
    from tasks import endpoint as served

    try:
        found = served.serving(here.settings, product)
    except ServiceError as error:
        output.warn(str(error))
        return Endpoint(address_of(here, product), None)
    return Endpoint(found.url, found.model_version) if found else Endpoint(None, None)


def address_of(here: Here, product: str) -> str | None:
    """Return where a product answers, or None when it has no endpoint."""
    from tasks import endpoint as served

    public = served.public_url(here.settings.predict_function(product))
    return served.reachable(here.settings, public) if public else None


def report(here: Here, product: str) -> Report | None:
    """Return the page about a product, or None when none was built."""
    from tasks import report_links

    found = report_links.find_report(here.settings, product)
    return Report(found.url) if found else None


def services(here: Here) -> Services:
    """Return the addresses of the services behind every product."""
    settings = here.settings
    api = str(settings.prefect_api_url).rstrip("/") if settings.prefect_api_url else None
    uri = settings.mlflow_tracking_uri
    cloud = str(settings.aws_endpoint_url).rstrip("/") if settings.aws_endpoint_url else None
    return Services(
        prefect=Addresses(api, here.prefect().ui if api else None),
        mlflow=Store(uri, uri if uri and uri.startswith("http") else None),
        aws=Cloud(cloud),
    )


def warn(here: Here) -> None:
    """Say loudly that Prefect does not answer, or that automations failed to act."""
    try:
        failed = here.prefect().failed_actions(since=datetime.now(UTC) - RECENT)
    except ServiceError as error:
        output.warn(f"{error} Nothing new starts until it does.")
        return
    if failed:
        last = failed[0]
        output.warn(
            f"{len(failed)} automations failed to act within a day: events came and nothing was started. "
            f"Last, {output.moment(last.at)} UTC: {last.automation}: {last.reason}. See `tropism doctor`."
        )


def tell(found: ProductStatus) -> None:
    """Print the status of one product."""
    champion = found.champion
    output.say(found.product)
    facts = [("serves", "nothing yet")]
    if champion is not None:
        facts = [("serves", f"model {champion.version} since {champion.since}"), ("because", champion.reason)]
    answers = f"model {found.endpoint.version}" if found.endpoint.version else "no model"
    facts.append(("endpoint", f"{found.endpoint.url} answers as {answers}" if found.endpoint.url else "none yet"))
    if found.challenger is not None:
        facts.append(("challenger", f"model {found.challenger.version}: {found.challenger.reason}"))
    if found.release is not None:
        facts.extend(releases.facts(found.release, found.weight))
    zones = found.batches
    facts.append(
        ("batches", f"{zones.validated} validated, {zones.quarantined} quarantined, {zones.landing} just landed")
    )
    facts.extend(("waits", f"{one.file} until {one.until}: {' '.join(one.missing)}") for one in found.waiting)
    if found.freeze is not None:
        facts.extend(frozen.facts(found.freeze))
    facts.append(("next", _next(found)))
    output.facts(facts, indent=2)
    expected = {champion.version} if champion is not None else set()
    if found.challenger is not None and found.weight > 0:
        expected.add(found.challenger.version)
    if champion is not None and found.endpoint.version not in expected:
        output.warn(
            f"The endpoint of {found.product} answers as {answers}, the control record says model {champion.version}. "
            f"The sweep mends this; look with `tropism verify {found.product}`."
        )


def tell_services(found: Services) -> None:
    """Print the addresses of the services."""
    output.say("services")
    output.facts(
        [
            ("Prefect", found.prefect.ui or "not set"),
            ("MLflow", mlflow_page(found.mlflow)),
            ("AWS", found.aws.endpoint or "your account"),
        ],
        indent=2,
    )


def mlflow_page(store: Store) -> str:
    """Return MLflow's page; a store without a server is opened by a command."""
    if store.ui is not None or store.uri is None:
        return store.ui or "not set"
    return f".venv/bin/mlflow ui --backend-store-uri {store.uri}"


def _serving(held: Contender | None) -> Serving | None:
    return None if held is None else Serving(held.model_version, held.bundle, output.stamp(held.since), held.reason)


def _next(found: ProductStatus) -> str:
    if found.frozen:
        return f"nothing, until somebody ends the freeze: tropism unfreeze {found.product} --reason R"
    if found.release is not None:
        return _NEXT[found.release.state].replace("PRODUCT", found.product)
    if found.batches.landing > len(found.waiting):
        return "what landed is checked"
    if found.champion is None:
        return f"bring data: tropism drop {found.product} FILE --wait"
    return "the next batch challenges the champion"
