"""Which files are a pair's: the reference's names, read from any folder that anybody may have made."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.errors import InvalidSetting, NoValidPixels, UnknownName
from arpent.tasks.change.frames import Frame, Pair
from arpent.tasks.change.mosaic_images import stems_in
from arpent.tasks.change.mosaic_layers import LAYERS, check_ignored, mosaic_name, product_name, reference_layer
from arpent.tasks.change.mosaic_pairs import delete_residues, find_pairs
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.tasks.change.mosaic_style import change_ramp, qgis_style
from arpent.tasks.change.reference_names import pair_suffix

NONE = MosaicSettings()
stems = st.text(st.characters(exclude_characters="/\\:\0!", exclude_categories=["Cs"]), min_size=1, max_size=12)


def touch(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


@given(st.sampled_from(sorted(LAYERS)), stems, stems, st.sampled_from("!#~"))
def test_every_name_that_a_pair_can_have_is_understood(layer, one, two, mark):
    suffix = pair_suffix(Pair((Frame(f"in/{one}.tif"), Frame(f"in/{two}.tif")), "x"), mark)
    named = product_name(f"{layer}{suffix}")
    assert named is not None
    assert (named.layer, named.suffix) == (layer, suffix)


@given(st.text(max_size=30))
def test_no_name_is_too_strange(text):
    named = product_name(text)
    assert named is None or f"{named.layer}{named.suffix}" == text


def test_names_that_only_begin_alike_are_others():
    for name in ("infer_10", "cosine_mapper", "mosaic_cosine_map_c", "fmask_x", "change", ""):
        assert product_name(name) is None


def test_the_folders_of_two_dates_are_one_set(tmp_path):
    one = touch(tmp_path / "0", "cosine_map!a!b.tif", "infer_0!a!b.TIF", "cosine_map!c!d.tif", "fmask_a.tif", "x.txt")
    two = touch(tmp_path / "1", "infer_1!a!b.tiff", "mosaic_cosine_map_x_c.tif")
    found = find_pairs([two, one, str(one)], NONE)
    assert [pair.name for pair in found.pairs] == ["!a!b", "!c!d"]
    assert {layer: path.parent.name for layer, path in found.pairs[0].files.items()} == {
        "cosine_map": "0",
        "infer_0": "0",
        "infer_1": "1",
    }
    assert found.notes == ("!c!d: no infer_0; used for what is there", "!c!d: no infer_1; used for what is there")


def test_the_same_layer_twice_is_another_pair(tmp_path):
    touch(tmp_path / "spring", "cosine_map.tif", "after_date.tif")
    touch(tmp_path / "summer", "cosine_map.tif", "after_date.tif")
    found = find_pairs([tmp_path / "spring", tmp_path / "summer"], NONE)
    assert len(found.pairs) == 2
    for pair in found.pairs:
        assert len({path.parent for path in pair.files.values()}) == 1


def test_the_compared_images_are_found_by_their_names(tmp_path):
    touch(
        tmp_path / "out",
        "cosine_map!S.2020160T1!S.2021170T1.tif",
        "cosine_map!é [x]!é [x].tif",
        "cosine_map!no!body.tif",
    )
    touch(tmp_path / "a", "S.2020160T1.tif", "S.2021170T1.tif", "fmask_S.2020160T1.tif", "é [x].tif")
    touch(tmp_path / "b", "é [x].tif")
    settings = MosaicSettings(inputs=(str(tmp_path / "a"), str(tmp_path / "b")))
    dated, nobody, same = find_pairs([tmp_path / "out"], settings).pairs
    assert [frame.date for frame in dated.pair.frames] == [2020160, 2021170]
    assert nobody.pair is None
    assert [Path(frame.image).parent.name for frame in same.pair.frames] == ["a", "b"]


def test_dates_in_the_way_of_sentinel_and_of_the_user(tmp_path):
    touch(tmp_path / "out", "cosine_map!T_20200608_x!T_20219999_x.tif")
    touch(tmp_path / "in", "T_20200608_x.tif", "T_20219999_x.tif")
    (pair,) = find_pairs([tmp_path / "out"], MosaicSettings(inputs=(str(tmp_path / "in"),))).pairs
    assert [frame.date for frame in pair.pair.frames] == [2020160, None]
    with pytest.raises(InvalidSetting, match="not a regular expression"):
        find_pairs([tmp_path / "out"], MosaicSettings(inputs=(str(tmp_path / "in"),), date_regex="("))


@settings(max_examples=50)
@given(st.lists(stems, min_size=1, max_size=3), st.lists(stems, max_size=5), st.sampled_from(["!", "_", "--"]))
def test_a_suffix_is_taken_apart_into_the_names_it_was_made_of(chosen, others, mark):
    suffix = "".join(f"{mark}{stem}" for stem in chosen)
    found = stems_in(suffix, {*chosen, *others})
    separator = suffix[: suffix.index(found[0])] if found else ""
    assert "".join(f"{separator}{stem}" for stem in found) == suffix
    if mark == "!":  # no stem holds it: there is but one way
        assert found == tuple(chosen)


def test_nothing_is_removed_when_only_asked(tmp_path):
    folder = touch(tmp_path / "out", "cosine_map!a!b.tif", "cosine_map!a!b.tfw")
    pairs = find_pairs([folder], NONE).pairs
    assert delete_residues(pairs, only_check=True) == 0
    assert delete_residues(pairs) == 2
    assert not list(folder.iterdir())


def test_the_first_layer_that_is_there_leads():
    assert reference_layer({"infer_1", "feature_maps_0"}, None).mark == "m0"
    assert reference_layer(set(LAYERS), None).name == "cosine_map"
    assert mosaic_name("persistence", "example", LAYERS["cosine_map"]) == "mosaic_persistence_example_c"
    with pytest.raises(NoValidPixels, match="which should lead"):
        reference_layer({"infer_0"}, "cosine_map")
    with pytest.raises(NoValidPixels, match="can lead a mosaic"):
        reference_layer({"after_date"}, None)
    with pytest.raises(UnknownName, match="cosine_map"):
        reference_layer(set(LAYERS), "cosine")


def test_layers_to_leave_out_are_known():
    assert check_ignored(("infer_0", "before_input")) == {"infer_0", "before_input"}
    with pytest.raises(UnknownName, match="infer_0"):
        check_ignored(("infer0",))
    with pytest.raises(InvalidSetting, match="every layer"):
        check_ignored(LAYERS)


def test_the_style_says_what_each_colour_means():
    ramp = change_ramp(0.6)
    style = qgis_style([*(f"≤ {stop.value}" for stop in ramp), "no <change>"], ramp)
    assert style.count("<item") == len(ramp) + 1 and 'maximumValue="0.6"' in style
    assert 'value="inf" color="#ffffff" alpha="0" label="no &lt;change&gt;"' in style
