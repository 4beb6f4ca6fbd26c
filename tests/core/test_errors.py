"""One line that teaches."""

import pickle

import pytest

from arpent import errors
from arpent.errors import ArpentError, BandMismatch, ExtraMissing, UnknownName, UnknownSetting, nearest

LEAVES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ArpentError)]


@pytest.mark.parametrize("kind", LEAVES)
def test_every_error_is_one_line_and_crosses_processes(kind: type[ArpentError]) -> None:
    error = kind("scene.tif has\n no band 'nir'", found=["red"], expected="nir", cure="Name\nits sensor.")
    assert str(error) == "scene.tif has no band 'nir' (found ['red']; expected nir). Name its sensor."
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.found, again.cure) == (kind, str(error), ["red"], "Name its sensor.")


def test_facts_are_optional_and_the_cure_is_not() -> None:
    assert str(BandMismatch("no band", cure="Look.")) == "no band. Look."
    assert str(BandMismatch("no band", found=0, cure="Look.")) == "no band (found 0). Look."
    with pytest.raises(TypeError):
        BandMismatch("no band")  # type: ignore[call-arg]


def test_the_nearest_name_is_found_whatever_its_case() -> None:
    assert nearest("EPOCH", ["epochs", "patience"]) == "epochs"
    assert nearest("xyz", ["epochs", "patience"]) is None


def test_misspelt_names_are_told_with_the_right_one() -> None:
    assert "Did you mean 'epochs'?" in str(UnknownSetting.among("epoch", ["epochs", "batch"], "a.yaml"))
    assert "Known settings: batch, epochs." in str(UnknownSetting.among("zzz", ["epochs", "batch"], "a.yaml"))
    assert "Did you mean 'unet'? Known: smp-unet, unet." in str(UnknownName.among("unett", ["unet", "smp-unet"], "net"))
    assert str(UnknownName.among("zzz", ["a"], "net")) == "no net is called 'zzz'. Known: a."


def test_a_missing_part_says_how_to_install_it() -> None:
    assert "pip install 'arpent[learn]'" in str(ExtraMissing.of("learn", "training"))
