import numpy as np
import pytest

from arpent.core import Band, Contract, Normalisation
from arpent.data import Statistics
from arpent.errors import InvalidSetting
from arpent.store import Place, read_contract
from arpent.tasks.landcover import train
from arpent.tasks.landcover.radiometry import rule_for


def statistics_of(bands, means):
    """Statistics of two-valued images whose mean is as given and whose deviation is 10."""
    result = Statistics(bands, "uint16")
    result.update(np.stack([np.array([[mean - 10, mean + 10]], np.uint16) for mean in means]))
    return result


def never():
    raise AssertionError("the images are read for nothing")


def contract(rule, *names):
    bands = tuple(Band(name=name) for name in names)
    return Contract(task="landcover", architecture="unet", bands=bands, normalisation=rule, arpent="0")


def test_target_is_measured_and_named():
    rule = rule_for(
        "norma-target",
        ("red", "nir"),
        bits=None,
        source=None,
        statistics=lambda: statistics_of(("red", "nir"), (100, 300)),
        origin="spring, training images",
    )
    assert rule == Normalisation(origin="spring, training images", mean=(100, 300), std=(10, 10))


def test_the_unit_range_reads_no_image():
    rule = rule_for("norma-01", ("red",), bits=11, source=None, statistics=never)
    assert (rule.scale, rule.mean, rule.std) == (1 / 2047, (0,), (1,))


def test_source_statistics_follow_their_bands():
    source = contract(Normalisation(origin="ortho", mean=(1, 2), std=(3, 4)), "red", "nir")
    rule = rule_for("norma-source", ("nir", "red"), bits=None, source=source, statistics=never)
    assert (rule.mean, rule.std, rule.origin) == ((2, 1), (4, 3), "ortho")


def test_bands_new_to_the_source_are_measured_and_said_to_be():
    source = contract(Normalisation(origin="ortho", scale=0.1, mean=(1,), std=(3,)), "red")
    rule = rule_for(
        "norma-source",
        ("red", "rededge"),
        bits=None,
        source=source,
        statistics=lambda: statistics_of(("red", "rededge"), (100, 300)),
    )
    assert rule.mean == pytest.approx((1, 30))
    assert rule.std == pytest.approx((3, 1))
    assert rule.origin == "ortho; rededge: training images"


@pytest.mark.parametrize(
    ("kind", "source", "words"),
    [
        ("norma-source", None, "there is none.*norma-target"),
        ("norma-source", contract(None, "red"), "does not say how.*norma-target"),
        ("norma-01", None, "bit depth, which is not known.*Set 'bits'"),
    ],
)
def test_what_is_lacking_is_said(kind, source, words):
    with pytest.raises(InvalidSetting, match=words):
        rule_for(kind, ("red",), bits=None, source=source, statistics=never)


def test_the_switch_reaches_the_bundle(train_settings, tmp_path):
    run = train(train_settings(normalise="norma-01"), Place(exact=tmp_path / "run"))
    rule = read_contract(run.path / "model.safetensors").normalisation
    assert rule.scale == 1 / 255
    assert set(rule.mean) == {0}


def test_a_first_training_has_no_source(train_settings, tmp_path):
    with pytest.raises(InvalidSetting, match="norma-source"):
        train(train_settings(normalise="norma-source"), Place(exact=tmp_path / "run"))
