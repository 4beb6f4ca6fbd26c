"""What names and tags say of the orbit."""

import pytest

from arpent.tasks.forecast.orbits import Orbit, common_orbit, orbit_of

# Relative orbits of real products, as their metadata gives them.
ESA_A = "S1A_IW_GRDH_1SDV_20200111T232723_20200111T232748_030766_038770_3F5A.tif"
ESA_B = "S1B_IW_GRDH_1SDV_20210910T190800_20210910T190825_028637_036AE1_0A1C.tif"


@pytest.mark.parametrize(
    ("name", "tags", "expected"),
    [
        (ESA_A, {}, Orbit(None, (30766 - 73) % 175 + 1, "GRD")),
        (ESA_B, {}, Orbit(None, (28637 - 27) % 175 + 1, "GRD")),
        ("S1A__IW___A_20150309T173017_VV_grd_mli_geo_norm_db.tif", {}, Orbit("ascending", None, "GRD")),
        ("S1A__IW___D_20150309T173017_VV.tif", {}, Orbit("descending")),
        ("S1A_IW_20200111T232723_DVP_RTC10_G_gpuned_3F5A_VV.tif", {}, Orbit(None, None, "RTC")),
        ("x.tif", {"sat:orbit_state": "descending", "sat:relative_orbit": "8"}, Orbit("descending", 8)),
        ("x.tif", {"PASS": "ASCENDING", "PRODUCT_TYPE": "GRD"}, Orbit("ascending", None, "GRD")),
        (ESA_A, {"relative_orbit": "12", "product_type": "gamma0"}, Orbit(None, 12, "RTC")),
        ("2021-09-10.jpg", {}, Orbit()),
        ("x.tif", {"relative_orbit": "none", "pass": ""}, Orbit()),
    ],
)
def test_names_and_tags(name, tags, expected):
    assert orbit_of(f"/some/where/{name}", tags) == expected


def test_what_is_not_known_disagrees_with_nothing():
    known = {"a": Orbit("ascending", 8, "GRD"), "b": Orbit(None, None, "GRD"), "c": Orbit()}
    assert common_orbit(known, "here") == Orbit("ascending", 8, "GRD")
    assert common_orbit({**known, "d": Orbit("descending")}, "here", allow_mixed=True) == Orbit(None, 8, "GRD")


def test_orbits_are_told_in_words():
    assert str(Orbit("ascending", 8, "GRD")) == "ascending, orbit 8, GRD"
    assert str(Orbit()) == "unknown"
