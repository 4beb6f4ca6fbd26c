"""What the commands of change tell people: in one language, by the threshold in use, with what is in doubt."""

import re

import numpy as np
import pytest
from PIL import Image

from arpent.core import Contract, Grid, Raster
from arpent.errors import InvalidSetting, UnknownName
from arpent.language import say
from arpent.report.furniture import _marks
from arpent.report.pictures import rendered
from arpent.store import open_run
from arpent.tasks.change import ChangeSettings, EmbedSettings, Frame, Judgement, Pair
from arpent.tasks.change.asking import doubtful_pairs, order_of
from arpent.tasks.change.baselines import VECTOR, title_of
from arpent.tasks.change.judgement import judge
from arpent.tasks.change.mosaic_style import change_ramp, cosine_steps, probability_steps, strength_steps
from arpent.tasks.change.photos import draw_overlay

ENGLISH = re.compile(
    r"\b(of it|changed|compared|recall|threshold|tiles?|pairs?|run|file|preview|time|memory|disk|products|about|at most"
    r"|stride|chosen|passes|overlap|first image|taken|order)\b"
)
QUICK = ("--runtime", "torch", "--quality", "no")


def says_no_english(said, folder):
    """What was told, but for the names of files."""
    text = f"{said.out}\n{said.err}".replace(str(folder), "")
    text = re.sub(r"\S+\.(tif|png|parquet|json|csv|jpg)\b", "", text)
    return ENGLISH.findall("\n".join(line for line in text.splitlines() if not line.startswith("warning")))


def test_a_pair_speaks_french_to_the_end(arpent, dated, colours, tmp_path):
    words = ("change", "pair", dated[0], dated[-1], "-m", colours, *QUICK, "--language", "fr")
    plan = arpent(*words, "--dry-run")
    assert plan.code == 0 and "terrain commun" in plan.out and "au plus" in plan.out and "(choisi)" in plan.out
    assert says_no_english(plan, tmp_path) == []
    said = arpent(*words, "-o", tmp_path / "paire", "--overlap", "8", "--name", "essai", "--threshold", "0.6")
    assert said.code == 0, said.err
    assert "de cette part" in said.out and "cosinus inférieur à 0,60" in said.out and "en " in said.err
    assert says_no_english(said, tmp_path) == []
    manifest = open_run(tmp_path / "paire").manifest
    assert manifest.name == "essai"
    assert [manifest.settings[name] for name in ("overlap", "ring", "halo")] == [8, 2, 2]
    outlined = arpent("change", "polygons", tmp_path / "paire", "-o", tmp_path / "p", "--language", "fr", "--name", "x")
    assert outlined.code == 0 and "changements" in outlined.out and open_run(tmp_path / "p").manifest.name == "x"


def test_a_series_tells_the_order_that_it_takes(arpent, dated, colours, tmp_path):
    words = ("change", "series", *reversed(dated[-3:]), "-m", colours, *QUICK, "-o", tmp_path / "suite")
    said = arpent(*words, "--language", "fr", "--name", "suite")
    assert said.code == 0, said.err
    assert "pris dans l’ordre de leurs dates" in said.err and "première image après" in said.out
    assert says_no_english(said, tmp_path) == [] and open_run(tmp_path / "suite").manifest.name == "suite"
    assert not list(order_of([Frame("a", 2020001), Frame("b", 2020002)]))
    assert not list(order_of([Frame("a", 2020002), Frame("b")]))


def test_pairs_in_doubt_are_named_and_counted():
    turned = [Pair((Frame(f"a{n}.tif", 2021002), Frame(f"b{n}.tif", 2021001)), f"{n}") for n in range(6)]
    right = Pair((Frame("c.tif", 2021001), Frame("d.tif", 2021002)), "right")
    lines = list(doubtful_pairs([right, *turned]))
    assert len(lines) == 4 and "later one first" in lines[0] and lines[-1].startswith("and 3 more pairs")
    assert "ordre inverse" in next(doubtful_pairs(turned, "fr"))
    assert say("told.more_pairs", "en", count=1).startswith("and 1 more pair ")
    assert say("told.mosaic", "fr", pairs=1, share=0.5).startswith("1 paire ;")


def test_a_mosaic_tells_of_pairs_in_doubt(arpent, dated, colours, tmp_path):
    words = ("-m", colours, *QUICK, "-o", tmp_path / "turned")
    assert arpent("change", "pair", dated[1], dated[0], *words).code == 0
    said = arpent(
        "change", "mosaic", tmp_path / "turned", "-o", tmp_path / "m", "--threshold", "0.4", "--name", "fused"
    )
    assert said.code == 0, said.err
    assert "later one first" in said.err and "1 pair;" in said.out and "cosine below 0.40" in said.out
    assert open_run(tmp_path / "m").manifest.name == "fused"
    assert 'classificationMax="0.4"' in next((tmp_path / "m").glob("*.qml")).read_text()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--overlap", "64", "--ring", "16", "--halo", "8"), "overlap 48"),
        (("--overlap", "7"), "even number"),
        (("--overlap", "8", "--profile", "planaura"), "half of a tile"),
        (("--workers", "2"), "Add --engine ray"),
        (("--box", "1,2,3"), "'box' takes 4 values"),
        (("--box", "1,2,3,4,5"), "left, bottom, right, top"),
        (("--exclude", "clouds"), "Did you mean 'cloud'"),
    ],
)
def test_what_cannot_be_done_is_one_line(arpent, dated, colours, tmp_path, more, told):
    said = arpent("change", "pair", dated[0], dated[1], "-m", colours, "-o", tmp_path / "run", *more)
    assert said.code == 2 and told in said.err and said.err.count("\n") == 1, said.err
    assert not (tmp_path / "run").exists()


def test_ring_and_halo_follow_from_the_overlap():
    for given, ring, halo in (
        ({}, 16, 16), ({"overlap": 64}, 16, 16), ({"overlap": 50}, 12, 13), ({"overlap": 0}, 0, 0),
        ({"overlap": 40, "ring": 4}, 4, 16), ({"overlap": 40, "halo": 20}, 0, 20),
    ):  # fmt: skip
        settings = ChangeSettings(**given)
        assert (settings.ring, settings.halo) == (ring, halo), given
    embedded = EmbedSettings(overlap=50).comparing()
    assert (embedded.ring, embedded.halo, embedded.overlap) == (12, 13, 50)
    with pytest.raises(InvalidSetting, match="twice"):
        ChangeSettings(overlap=10, ring=8)


def test_no_name_at_all_is_said():
    assert "There is none at all" in str(UnknownName.among("class", [], "column of a.gpkg"))


def test_colours_begin_at_the_threshold():
    assert [stop.value for stop in change_ramp(0.75)] == [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75]
    assert change_ramp(-0.85)[0].value == -0.95 and len(change_ramp(-1.0)) == 1
    assert cosine_steps(0.5).ends[-1] == 0.5 and cosine_steps(0.5).high == 1
    chance = probability_steps(0.42)
    assert chance.ends[0] == 0.42 and chance.colours[0] == "#ffffff" and (chance.low, chance.high) == (0, 1)
    assert strength_steps(0.25).high == 2 and strength_steps(1.95).ends == (1.95,)
    assert len(probability_steps(1.0).colours) == len(probability_steps(1.0).ends)


def test_the_layer_that_judges_colours_the_photograph(tmp_path):
    Image.fromarray(np.full((40, 40, 3), 120, np.uint8)).save(tmp_path / "later.png")
    chance = np.zeros((40, 40), np.float32)
    chance[:20, :20], chance[20:, 20:] = 0.95, 0.5
    Image.fromarray(chance).save(tmp_path / "chance.tif")
    layer = tmp_path / "chance.tif"
    reds = []
    for threshold in (0.4, 0.6):
        drawn = draw_overlay(
            tmp_path / "later.png", layer, Judgement("change_probability", threshold), tmp_path / "o.png"
        )
        with Image.open(drawn) as picture:
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        reds.append(int((pixels[..., 0] - pixels[..., 1] > 25).sum()))
    assert reds[0] > 1.8 * reds[1] > 0


def test_counts_have_whole_numbers_beside_them():
    grid = Grid.north_up(0, 0, 1, 8, 8, 32631)
    counts = np.ones((1, 8, 8), np.uint16)
    alone = rendered(Raster(counts, np.ones((8, 8), bool), grid, ("pairs",)), None).range
    assert (alone.low, alone.high) == (0, 1) and _marks(alone) == [0, 1]
    counts[:, 4:] = 2
    two = rendered(Raster(counts, np.ones((8, 8), bool), grid, ("pairs",)), None).range
    assert _marks(two) == [1, 2]
    assert len(_marks(rendered(Raster(counts / 3, np.ones((8, 8), bool), grid, ("x",)), None).range)) == 5


def test_what_is_judged_has_a_name_in_both_languages():
    assert title_of("change_probability", "fr") == "Probabilité de changement"
    assert title_of("band B11", "fr") == "bande B11" and title_of(VECTOR, "en") == "change-vector analysis"


def test_the_models_own_threshold_is_that_of_the_picture():
    contract = Contract.model_construct(metrics={"threshold": 0.42, "cosine_threshold": 0.3})
    layers = ("cosine_map", "change_probability")
    found = judge(layers, contract, ChangeSettings())
    assert found == Judgement("change_probability", 0.42) and found.steps.ends[0] == 0.42
    assert judge(layers, contract, ChangeSettings(score="cosine_map")).steps.ends[-1] == 0.3
