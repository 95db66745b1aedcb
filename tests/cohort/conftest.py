"""One generated cohort that the tests of reading share."""

import pytest

from einthoven.cohort.build import build
from einthoven.cohort.store import Cohort
from tests.cohort.generated import Generated


@pytest.fixture(scope="session")
def generated() -> Generated:
    return Generated(records=60)


@pytest.fixture(scope="session")
def cohort(generated: Generated, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("cohort")
    # 20 kB a shard: several shards, and windows that lie at the ends of one
    return build(generated, folder, folder / "cohort", workers=1, piece=13, shard_bytes=20_000)
