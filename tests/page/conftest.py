"""Pages as `tropism report` builds them: of a product with a past, of one without, and a browser to look at them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lifecycle.settings import Settings
from tasks import report_links, reports
from tests.conftest import Aws
from tests.page.estate import Estate, make, settings_of


@pytest.fixture(scope="session")
def estate(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """A product with everything on its page."""
    folder = tmp_path_factory.mktemp("estate")
    made = [make(folder / f"bundle-{seed}", seed) for seed in (1, 11, 21)]
    found = Estate(aws, folder / "root", made)
    found.fill()
    yield found
    found.close()


@pytest.fixture(scope="session")
def bare(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A product that nothing ever happened to."""
    return settings_of(aws, tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="session")
def full_page(estate: Estate) -> str:
    """The page about the product with a past."""
    return _built(estate.settings, estate)


@pytest.fixture(scope="session")
def bare_page(bare: Settings, estate: Estate) -> str:
    """The page about the product without one."""
    return _built(bare, estate)


def _built(settings: Settings, estate: Estate) -> str:
    reports.build_report(settings, "loans", estate.now)
    return (report_links.read_report(settings, "loans") or b"").decode()
