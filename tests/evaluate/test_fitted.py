"""Random encoders: the same seed is the same network, and estimated statistics are those of the training rows."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from einthoven.cohort.build import build  # noqa: E402
from einthoven.cohort.store import Cohort  # noqa: E402
from einthoven.core.layout import Layout  # noqa: E402
from einthoven.core.registry import load  # noqa: E402
from einthoven.evaluate.fitted import Untrained  # noqa: E402
from einthoven.training import checkpoint  # noqa: E402
from einthoven.training.embedding import batches  # noqa: E402


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    place = tmp_path_factory.mktemp("fitted")
    build(load("sources", "simulated")(patients=20, rate=100, seconds=3), place, place / "c", workers=1)
    settings = {"width": 4}
    model = checkpoint.save(
        place / "m", encoder=load("encoders", "resnet")(12, **settings).eval(), encoder_name="resnet",
        encoder_settings=settings, layout=Layout(seconds=3), card={"name": "tiny"},
    )  # fmt: skip
    return checkpoint.load(model), Cohort.open(place / "c")


def test_a_seed_is_a_network_and_another_seed_another(given):
    like, cohort = given
    one, again, other = (Untrained(like, seed, cohort, None) for seed in (3, 3, 4))
    assert one.make().fingerprint == again.make().fingerprint != other.make().fingerprint
    assert one.mark == again.mark != other.mark
    assert one.make().fingerprint != like.fingerprint


def test_estimated_statistics_are_the_mean_over_the_training_rows_and_nothing_else_changes(given):
    like, cohort = given
    rows = np.arange(12)  # one batch: its mean is the estimate
    plain, estimated = (Untrained(like, 0, cohort, chosen).make() for chosen in (None, rows))
    batch = next(iter(batches(like.layout, cohort, rows, 64)))
    with torch.no_grad():
        seen = plain.encoder.stem.conv(batch.signal[:, :, None, :])
    torch.testing.assert_close(
        estimated.encoder.stem.norm.running_mean, seen.mean((0, 2, 3)), rtol=1e-4, atol=1e-6
    )  # float32 sums in another order
    for (name, a), (_, b) in zip(plain.encoder.state_dict().items(), estimated.encoder.state_dict().items()):
        assert "running" in name or torch.equal(a, b), name
    assert not estimated.encoder.training
