"""Land-cover maps of sheets, of resampled images, from eight views, and as polygons."""

import itertools

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import shapely
import torch

from arpent.core import Band, ClassMap, Contract, Grid, LandClass, Normalisation, Strip, Window, sensor
from arpent.engine import Dense
from arpent.errors import (
    BandMismatch,
    ContractMismatch,
    DatasetError,
    GeoreferenceMissing,
    InvalidSetting,
    UnreadableFile,
)
from arpent.io import CogWriter, RasterSpec, open_image
from arpent.models import load_bundle, save_bundle
from arpent.store import Place, open_run, verify
from arpent.tasks.landcover import LandcoverSettings, LandcoverTask, MapSettings, map_image
from arpent.tasks.landcover.outlining import ClassFields
from arpent.tasks.landcover.turning import TurnedTask
from arpent.testing.toys import toy_bundle

NAMES = ("red", "green", "blue", "nir")
GRID = Grid.north_up(650_000, 6_860_000, 0.2, 200, 300, 2154)
CUTS = [Window(row, col, 100, 100) for row in (0, 100) for col in (0, 100, 200)]
FAST = {"runtime": "torch", "device": "cpu", "tile": 96, "halo": 8, "ring": 4}


def blobs(height, width, seed=3, block=12):
    """Noise in large patches, so that a network with random weights draws some shapes."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 230, (4, height // block + 1, width // block + 1)).astype(np.uint8)
    return coarse.repeat(block, 1).repeat(block, 2)[:, :height, :width]


PIXELS = blobs(200, 300)


def write(path, pixels=PIXELS, grid=GRID, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    with CogWriter(path, RasterSpec(grid, NAMES, str(pixels.dtype), **options)) as writer:
        writer.write(Strip(0, pixels))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Random weights, with scores brought to one level, so that all classes occur."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    bundle = load_bundle(toy_bundle(path, gsd=0.2, dtype="uint8"))
    *_, head = (part for part in bundle.model.modules() if isinstance(part, torch.nn.Conv2d))
    with torch.no_grad():
        scores = bundle.model(torch.from_numpy((PIXELS - np.float32(128)) / 60)[None, :, :96, :96])
        spread = scores.std((0, 2, 3))
        head.bias.sub_(scores.mean((0, 2, 3))).div_(spread)
        head.weight.div_(spread[:, None, None, None])
    return save_bundle(path, bundle.model, bundle.contract)


@pytest.fixture
def mapped(model, tmp_path):
    """Maps an image into a run of its own."""

    def run(image, name="run", truth=None, **changes):
        return map_image(str(image), model, Place(exact=tmp_path / name), MapSettings(**(FAST | changes)), truth=truth)

    return run


@pytest.fixture
def sheets(tmp_path):
    """The image in six sheets, or some of them."""

    def cut(windows=CUTS):
        for number, window in enumerate(windows):
            write(tmp_path / "sheets" / f"D046_{number:02}.tif", PIXELS[:, *window.slices].copy(), GRID.crop(window))
        return tmp_path / "sheets"

    return cut


def classes_in(path):
    with rasterio.open(path) as product:
        return product.read(1)


def test_the_map_of_sheets_is_that_of_the_whole_image_byte_for_byte(mapped, sheets, tmp_path):
    """Tiles of 96 pixels cross the borders of sheets of 100."""
    whole, many = mapped(write(tmp_path / "whole.tif"), "whole"), mapped(sheets(), "many")
    assert len(np.unique(classes_in(whole.path))) > 3
    assert whole.path.read_bytes() == many.path.read_bytes()


def test_holes_between_sheets_are_no_data(mapped, sheets):
    made = mapped(sheets([CUTS[0], CUTS[5]]))
    found = classes_in(made.path)
    assert (found[:100, 100:] == 0).all()
    assert (found[:100, :100] > 0).all()
    assert sum(area.square_metres for area in made.areas) == pytest.approx(2 * 400, rel=2e-3)


def test_each_sheet_gets_its_own_map(mapped, sheets):
    made = mapped(sheets(), per_sheet=True)
    whole = classes_in(made.path)
    for number, window in enumerate(CUTS):
        with rasterio.open(made.run.path / f"D046_{number:02}.tif") as sheet, open_image(sheet.name) as image:
            assert np.array_equal(sheet.read(1), whole[window.slices])
            assert image.grid == GRID.crop(window)
            assert sheet.colormap(1)[5][:3] == (0x15, 0x53, 0xAE)
    assert {f"D046_{number:02}" for number in range(6)} < {one.name for one in made.run.manifest.products}
    verify(open_run(made.run.path))


def test_sheets_are_asked_for_where_there_are_some(mapped, sheets, tmp_path):
    with pytest.raises(InvalidSetting, match="no folder of sheets"):
        mapped(write(tmp_path / "whole.tif"), per_sheet=True)
    folder = sheets()
    (folder / "D046_00.tif").rename(folder / "classes.tif")
    with pytest.raises(InvalidSetting, match=r"one name \(found classes\)"):
        mapped(folder, "other", per_sheet=True)


def test_sheets_that_do_not_fit_leave_no_run(mapped, sheets, tmp_path):
    folder = sheets()
    odd = Grid.north_up(300_000, 5_000_000, 0.2, 50, 50, 32631)
    write(folder / "odd.tif", PIXELS[:, :50, :50].copy(), odd)
    with pytest.raises(DatasetError, match="EPSG:32631: odd"):
        mapped(folder)
    whole = (folder / "D046_03.tif").read_bytes()
    (folder / "odd.tif").unlink()
    (folder / "D046_03.tif").write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises((BandMismatch, UnreadableFile), match="D046_03"):
        mapped(folder)
    assert not list(tmp_path.rglob("classes.tif"))


def test_an_image_of_another_pixel_size_is_resampled_if_asked(mapped, tmp_path):
    """The same scene with pixels of half the size: every other pixel is read twice."""
    fine = Grid.north_up(650_000, 6_860_000, 0.1, 400, 600, 2154)
    image = write(tmp_path / "fine.tif", PIXELS.repeat(2, 1).repeat(2, 2), fine)
    with pytest.raises(ContractMismatch, match=r"pixels of 0\.1 m.*Add --resample to read it at 0\.2 m"):
        mapped(image)
    made = mapped(image, "resampled", resample=True)
    with open_image(made.path) as product:
        assert product.grid.matches(GRID)
    same = classes_in(mapped(write(tmp_path / "whole.tif"), "whole").path)
    assert (classes_in(made.path) == same).mean() > 0.8  # bilinear reading mixes the borders of patches
    assert made.notes[0].replace("\N{NO-BREAK SPACE}", " ").startswith("pixels of 10 cm are read at 20 cm")


def test_a_resampled_map_can_lie_on_the_pixels_of_the_image(mapped, tmp_path):
    coarse = Grid.north_up(650_000, 6_860_000, 0.4, 100, 150, 2154)
    image = write(tmp_path / "coarse.tif", PIXELS[:, ::2, ::2].copy(), coarse)
    words = {"resample": True, "probabilities": True, "language": "fr"}
    there, back = mapped(image, "there", **words), mapped(image, "back", grid="image", **words)
    with open_image(there.path) as product:
        assert product.grid.matches(GRID)
    with open_image(back.path) as product:
        assert product.grid.matches(coarse)
    with rasterio.open(back.run.path / "probabilities.tif") as product:
        assert product.shape == (100, 150)
    large = classes_in(there.path)
    assert (classes_in(back.path) == large[1::2, 1::2]).mean() > 0.99
    assert "40\N{NO-BREAK SPACE}cm" in back.notes[0]
    verify(open_run(back.run.path))


def test_an_image_of_the_model_s_pixel_size_is_left_as_it_is(mapped, tmp_path):
    image = write(tmp_path / "whole.tif")
    plain, asked = mapped(image, "plain"), mapped(image, "asked", resample=True, grid="image")
    assert plain.path.read_bytes() == asked.path.read_bytes()
    assert asked.notes == ()


def test_a_picture_without_a_place_is_mapped_and_said(mapped, tmp_path):
    image = write(tmp_path / "picture.tif", grid=Grid(200, 300))
    made = mapped(image)
    assert "names no place on earth" in made.notes[0]
    with pytest.raises(GeoreferenceMissing, match="without --resample"):
        mapped(image, "other", resample=True)


def test_the_image_s_own_statistics_make_a_deeper_image_fit(mapped, tmp_path):
    """The numbers times 16, in 16 bits: measured, they are the same to the network."""
    deep = write(tmp_path / "deep.tif", PIXELS.astype(np.uint16) * 16)
    with pytest.raises(ContractMismatch, match=r"uint16.*Add --normalise norma-target"):
        mapped(deep)
    shallow = write(tmp_path / "whole.tif")
    one, other = (mapped(path, path.stem, normalise="norma-target") for path in (shallow, deep))
    assert np.array_equal(classes_in(one.path), classes_in(other.path))
    assert "normalised anew" in one.notes[0]
    assert not np.array_equal(classes_in(one.path), classes_in(mapped(shallow, "learnt").path))
    unit = mapped(deep, "unit", normalise="norma-01", bits=12)
    assert "12-bit range" in unit.notes[0]
    with pytest.raises(InvalidSetting, match=r"bit depth.*--bits .*--sensor"):
        mapped(deep, "none", normalise="norma-01")


def test_eight_views_are_averaged(mapped, tmp_path):
    """The map of a turned image is the turned map, which no single view promises; OpenVINO says the same."""
    side, grid = PIXELS[:, :96, :96], GRID.crop(Window(0, 0, 96, 96))
    image = write(tmp_path / "square.tif", side.copy(), grid)
    turned = write(tmp_path / "turned.tif", np.rot90(side, axes=(1, 2)).copy(), grid)
    one, other = (mapped(path, path.stem, tta="d4") for path in (image, turned))
    assert (np.rot90(classes_in(one.path)) == classes_in(other.path)).mean() > 0.9999
    once, again = (mapped(path, f"{path.stem}1") for path in (image, turned))
    assert (np.rot90(classes_in(once.path)) == classes_in(again.path)).mean() < 0.99
    fast = mapped(image, "fast", tta="d4", runtime="openvino")
    assert (classes_in(fast.path) == classes_in(one.path)).mean() >= 0.999


def test_views_are_turned_back_before_they_are_averaged():
    task = TurnedTask(LandcoverTask(LandcoverSettings(network={"widths": [4]})))
    image = torch.randn(2, 11, 6, 10)
    batch = {"image": image, "valid": torch.ones(2, 6, 10, dtype=torch.bool)}
    shapes = []

    def identity(pixels):
        shapes.append(pixels.shape[-2:])
        return pixels

    answer = task.infer(identity, batch)["scores"]
    assert isinstance(answer, Dense)
    torch.testing.assert_close(answer.values, image)
    assert {tuple(shape) for shape in shapes} == {(6, 10), (10, 6)}
    assert len(shapes) == 8


@pytest.mark.parametrize("form", ["gpkg", "geoparquet"])
def test_polygons_cover_the_sieved_map_without_seams(mapped, tmp_path, form):
    made = mapped(write(tmp_path / "whole.tif"), vector=True, form=form, min_area=1.0, simplify=0)
    polygons = read_polygons(made.run, form)
    assert polygons["area_m2"].min() >= 0.99
    assert set(zip(polygons["numero"], polygons["classe"], polygons["class_en"], strict=True)) <= {
        (1, "bâtiment", "building"), (3, "zone imperméable", "impervious surface"), (5, "sol nu", "bare soil"),
        (6, "surface d'eau", "water"), (8, "conifère", "coniferous"), (9, "feuillu", "deciduous"),
        (11, "vigne", "vineyard"), (12, "surface herbacée", "herbaceous vegetation"),
        (13, "culture", "agricultural land"), (14, "terre labourée", "plowed land"), (4, "piscine", "swimming pool"),
    }  # fmt: skip
    shapes = polygons["geometry"]
    assert polygons["area_m2"].sum() == pytest.approx(sum(area.square_metres for area in made.areas), rel=1e-6)
    assert shapely.area(shapes).sum() == pytest.approx(60 * 40)
    assert shapely.union_all(shapes).area == pytest.approx(60 * 40)  # nothing overlaps, nothing is left out
    with rasterio.open(made.path) as product:
        where = product.transform
    painted = rasterio.features.rasterize(
        zip(shapes, polygons["numero"], strict=True), (200, 300), transform=where, dtype="uint8"
    )
    kept = np.bincount(painted.ravel(), minlength=16)
    assert kept[0] == 0
    for number in np.unique(polygons["numero"]):
        own = shapely.area(shapes[polygons["numero"] == number]).sum()
        assert own == pytest.approx(kept[number] * 0.04)
    assert made.run.manifest.metrics["polygons"] == len(shapes)
    verify(open_run(made.run.path))


def test_simplified_polygons_share_their_borders(mapped, tmp_path):
    made = mapped(write(tmp_path / "whole.tif"), vector=True, min_area=1.0, simplify=1.0)
    shapes = read_polygons(made.run, "gpkg")["geometry"]
    assert shapely.is_valid(shapes).all()
    assert shapely.area(shapes).sum() == pytest.approx(60 * 40, rel=1e-9)
    assert shapely.union_all(shapes).area == pytest.approx(60 * 40, rel=1e-9)
    lines = shapely.get_parts(shapely.segmentize(shapely.boundary(shapes), 1e9))
    sides = [frozenset(pair) for line in lines for pair in _sides(line)]
    outside = shapely.boundary(shapely.union_all(shapes))
    once = [side for side in set(sides) if sides.count(side) == 1] if len(sides) < 4000 else []
    assert all(shapely.distance(outside, shapely.linestrings(sorted(side))) == 0 for side in once)


def _sides(line):
    points = [tuple(point) for point in shapely.get_coordinates(line)]
    return itertools.pairwise(points)


def read_polygons(run, form):
    file = run.path / ("polygons.gpkg" if form == "gpkg" else "polygons.parquet")
    if form == "gpkg":
        _, _, shapes, values = pyogrio.raw.read(file)
        columns = dict(zip(pyogrio.read_info(file)["fields"], values, strict=True))
        return columns | {"geometry": shapely.from_wkb(shapes)}
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in ("numero", "classe", "class_en", "area_m2")}
    return columns | {"geometry": shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))}


def test_classes_that_cosia_lacks_have_no_number_and_others_their_own():
    grey = {"colour": "#808080"}
    first = LandClass(id=4, en="a", fr="à", codes={"cosia": 7}, **grey)
    second = LandClass(id=9, en="b", fr="bé", **grey)
    with_codes = ClassMap(name="some", classes=(first, second))
    without = ClassMap(name="none", classes=(first.model_copy(update={"codes": {}}), second))
    numbers = [
        fields.columns(np.array([1, 2], np.int32), np.array([4, 9], np.uint8))[0].to_pylist()
        for fields in (ClassFields(with_codes), ClassFields(without))
    ]
    assert numbers == [[7, None], [4, 9]]


def test_probabilities_are_bytes_of_percent_that_add_up(mapped, tmp_path):
    made = mapped(write(tmp_path / "whole.tif"), probabilities=True)
    with rasterio.open(made.run.path / "probabilities.tif") as product:
        shares = product.read()
        assert (product.dtypes[0], product.nodata, product.count) == ("uint8", 255, 11)
    assert abs(shares.astype(int).sum(axis=0) - 100).max() <= 6  # each of eleven is rounded
    chosen = load_bundle_ids(made)[shares.argmax(axis=0)]
    sure = np.sort(shares, axis=0)[-1].astype(int) > np.sort(shares, axis=0)[-2]
    assert np.array_equal(chosen[sure], classes_in(made.path)[sure])


def load_bundle_ids(made):
    return load_bundle(made.run.manifest.bundle.source).contract.classes.ids


def test_a_resumed_map_on_the_image_s_pixels_is_the_same(model, tmp_path, monkeypatch):
    """Stopped after the maps were moved to the image's pixels, a run goes on with them and ends alike."""
    from arpent.tasks.landcover import mapping

    coarse = Grid.north_up(650_000, 6_860_000, 0.4, 100, 150, 2154)
    image = write(tmp_path / "coarse.tif", PIXELS[:, ::2, ::2].copy(), coarse)
    settings = MapSettings(**FAST, resample=True, grid="image", vector=True)
    whole = map_image(str(image), model, Place(exact=tmp_path / "whole"), settings)

    def killed(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(mapping, "outline", killed)
        map_image(str(image), model, Place(exact=tmp_path / "run"), settings)
    again = map_image(str(image), model, Place(exact=tmp_path / "run", resume=True), settings)
    assert again.path.read_bytes() == whole.path.read_bytes()
    verify(open_run(again.run.path))


def test_bands_of_another_sensor_are_found_by_name(model, tmp_path):
    """Six bands in another order: the four that the model knows are read."""
    six = np.stack([PIXELS[2] // 2, PIXELS[2], PIXELS[1], PIXELS[0], PIXELS[3] // 2, PIXELS[3]])
    names = ("deep_blue", "blue", "green", "red", "red_edge", "nir")
    path = tmp_path / "six.tif"
    with CogWriter(path, RasterSpec(GRID, names, "uint8")) as writer:
        writer.write(Strip(0, six))
    one = map_image(str(path), model, Place(exact=tmp_path / "six"), MapSettings(**FAST))
    other = map_image(str(write(tmp_path / "four.tif")), model, Place(exact=tmp_path / "four"), MapSettings(**FAST))
    assert one.path.read_bytes() == other.path.read_bytes()


def test_a_band_that_is_lacking_is_one_that_the_model_sees(model, tmp_path):
    cases = (
        (("red", "green", "blue"), "no band 'nir'", "Give an image of these bands"),
        (("band_1", "band_2", "band_3"), "no band 'red'", "say which sensor made it .--sensor"),
    )
    for names, words, cure in cases:
        path = tmp_path / "three.tif"
        with CogWriter(path, RasterSpec(GRID, names, "uint8")) as writer:
            writer.write(Strip(0, PIXELS[:3]))
        wanted = f"{words}.*expected what the model sees: red, green, blue, nir.*{cure}"
        with pytest.raises(BandMismatch, match=wanted):
            map_image(str(path), model, Place(exact=tmp_path / "run"), MapSettings(**FAST))
        assert not (tmp_path / "run").exists()


def test_the_cure_names_training_where_nothing_else_helps(tmp_path, model):
    bundle = load_bundle(model)
    contract = Contract(
        **bundle.contract.model_dump(exclude={"gsd", "dtype", "bands", "normalisation"}),
        bands=(*sensor("bd-ortho").bands[:3], Band(name="nir", aliases=("infrared",))),
        normalisation=Normalisation(origin="x", mean=(1.0,) * 4, std=(1.0,) * 4),
        gsd=5.0,
        dtype="uint16",
    )
    other = save_bundle(tmp_path / "other.safetensors", bundle.model, contract)
    with pytest.raises(ContractMismatch, match="Add --resample to read it at 5 m, and add --normalise norma-target"):
        map_image(str(write(tmp_path / "a.tif")), other, Place(exact=tmp_path / "run"), MapSettings(**FAST))


def test_a_truth_of_classes_that_are_never_predicted_is_not_held_against_a_map(model, tmp_path):
    """Against itself, with a corner of a class that the model never gives, a map has no error."""
    bundle, settings = load_bundle(model), MapSettings(**FAST)
    kept = bundle.contract.classes
    idle = kept.classes[0].model_copy(update={"active": False})
    classes = ClassMap(name="resting", classes=(idle, *kept.classes[1:]), nodata=kept.nodata)
    contract = bundle.contract.model_copy(update={"classes": classes})
    resting, image = save_bundle(tmp_path / "m.safetensors", bundle.model, contract), str(write(tmp_path / "image.tif"))
    own = classes_in(map_image(image, resting, Place(exact=tmp_path / "own"), settings).path)
    own[:20, :20] = idle.id
    with CogWriter(tmp_path / "truth.tif", RasterSpec(GRID, ("class",), "uint8", 0)) as writer:
        writer.write(Strip(0, own[None]))
    made = map_image(image, resting, Place(exact=tmp_path / "judged"), settings, truth=tmp_path / "truth.tif")
    assert made.scores.accuracy == made.scores.miou == 1
