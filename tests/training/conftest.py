"""One small cohort that all tests of training share."""

import pytest
import torch

from einthoven.cohort.store import Cohort
from tests.training import given

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return given.cohort(tmp_path_factory.mktemp("training"))
