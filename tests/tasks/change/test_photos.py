"""Ordinary pictures: of any size, as they were held, in pairs and in lists."""

import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from arpent import __version__
from arpent.core import Band, Contract, Normalisation
from arpent.errors import BandMismatch, ContractMismatch, Interrupted, InvalidSetting, RunExists
from arpent.io import open_image
from arpent.models import PlanauraSettings, build, save_bundle
from arpent.report import figures
from arpent.store import Place, RunFolder, verify
from arpent.tasks.change import photos as photo_list
from arpent.tasks.change.photos import compare_photos, photo_model, run_photos
from arpent.tasks.change.reference_config import read_reference
from arpent.tasks.change.reference_plan import plan_reference
from arpent.tasks.change.settings import ChangeSettings

PLAIN = ChangeSettings(runtime="torch", device="cpu")
SHAPE = {
    "image_size": 64,
    "patch": 8,
    "width": 32,
    "depth": 1,
    "heads": 2,
    "decoder_width": 16,
    "decoder_depth": 1,
    "decoder_heads": 1,
}


PUBLISHED = {"patch": 16, "width": 768, "heads": 12, "decoder_width": 512, "decoder_heads": 16}
"""What is published is this wide; its depth does not matter here."""


def network(channels, **shape):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build("planaura", {**SHAPE, "channels": channels, "frames": 2, **shape})


@pytest.fixture(scope="module")
def rgb(tmp_path_factory):
    """A bundle for red, green and blue."""
    contract = Contract(
        task="change",
        architecture="planaura",
        settings=PlanauraSettings(**SHAPE, channels=3, frames=2).model_dump(mode="json"),
        bands=tuple(Band(name=name) for name in ("red", "green", "blue")),
        normalisation=Normalisation(origin="test", mean=(120.0,) * 3, std=(60.0,) * 3),
        arpent=__version__,
    )
    return save_bundle(tmp_path_factory.mktemp("rgb") / "rgb.safetensors", network(3), contract)


def checkpoint(path, channels, **shape):
    """Weights as the reference publishes them."""
    state = {f"backbone.{name}": tensor for name, tensor in network(channels, **shape).state_dict().items()}
    torch.save({"model_state_dict": state}, path)
    return path


def picture(height, width, *, box=None):
    rows, cols = np.mgrid[:height, :width]
    pixels = np.stack([rows * 200 // height + 20, cols * 200 // width + 20, (rows + cols) % 64 + 80], axis=-1)
    if box is not None:
        noise = np.random.default_rng(1).integers(0, 255, (height, width, 3))
        pixels[box] = noise[box]
    return Image.fromarray(pixels.astype("uint8"))


BOX = (slice(40, 80), slice(96, 150))


@pytest.fixture
def photos(tmp_path):
    before, after = tmp_path / "été 1.jpg", tmp_path / "été 2.jpg"
    picture(100, 170).save(before, quality=95)
    picture(100, 170, box=BOX).save(after, quality=95)
    return before, after


def cosines(run):
    with open_image(run.path / "cosine_map.tif") as image:
        return image.read(image.grid.window)


def test_two_pictures_of_any_size(rgb, photos, tmp_path):
    done = compare_photos(*photos, rgb, Place(exact=tmp_path / "run"), PLAIN)
    found = cosines(done.run)
    assert found.pixels.shape == (1, 100, 170)
    assert found.valid.all()
    changed = np.zeros((100, 170), bool)
    changed[BOX] = True
    assert found.pixels[0][changed].mean() < found.pixels[0][~changed].mean() - 0.05
    with Image.open(done.overlay) as drawn:
        assert min(drawn.size) > 200
    assert {product.name for product in done.run.manifest.products} >= {"cosine_map", "overlay", "preview"}
    assert [record.source for record in done.run.manifest.inputs] == [str(photo) for photo in photos]


def test_a_picture_that_was_held_sideways_is_the_same_picture(rgb, photos, tmp_path):
    before, after = photos
    straight = compare_photos(before, after, rgb, Place(exact=tmp_path / "straight"), PLAIN)
    with Image.open(after) as image:
        note = image.getexif()
        note[0x0112] = 8
        lying = tmp_path / "lying.jpg"
        image.transpose(Image.Transpose.ROTATE_270).save(lying, exif=note, quality=100, subsampling=0)
    with Image.open(lying) as image:
        assert ImageOps.exif_transpose(image).size == (170, 100)
    turned = compare_photos(before, lying, rgb, Place(exact=tmp_path / "turned"), PLAIN)
    assert np.abs(cosines(turned.run).pixels - cosines(straight.run).pixels).mean() < 0.02
    assert "upright_1" in {product.name for product in turned.run.manifest.products}


def test_other_sizes_are_told_or_fitted(rgb, photos, tmp_path):
    small = tmp_path / "small.png"
    picture(50, 85).save(small)
    with pytest.raises(InvalidSetting, match=r"found 85 × 50 pixels; expected 170 × 100.*--fit"):
        compare_photos(photos[0], small, rgb, Place(exact=tmp_path / "run"), PLAIN)
    done = compare_photos(photos[0], small, rgb, Place(exact=tmp_path / "fitted", force=True), PLAIN, fit=True)
    assert cosines(done.run).pixels.shape == (1, 100, 170)


def test_grey_pictures_and_other_models_are_refused(rgb, photos, tmp_path):
    grey = tmp_path / "grey.png"
    picture(100, 170).convert("L").save(grey)
    with pytest.raises(BandMismatch, match="not a picture in colour"):
        compare_photos(photos[0], grey, rgb, Place(exact=tmp_path / "run"), PLAIN)
    six = checkpoint(tmp_path / "six.pth", 6, **PUBLISHED)
    with pytest.raises(ContractMismatch, match="--reset-patch-embedding"):
        photo_model(six)
    torch.manual_seed(3)
    one = photo_model(six, reset_patch_embedding=True)
    torch.manual_seed(4)
    other = photo_model(six, reset_patch_embedding=True)
    name = "encoder.patch_embed.proj.weight"
    assert torch.equal(one.model.state_dict()[name], other.model.state_dict()[name])
    assert one.contract.recipe["untrained"] == ["patch embedding"]


def configuration(folder, rows, **keys):
    """A configuration as the reference's README shows it for pictures."""
    pairs = folder / "pairs.csv"
    pairs.write_text("input_file_0,input_file_1\n" + "\n".join(",".join(map(str, row)) for row in rows))
    model = {
        "load_params": {"source": "local", "checkpoint_path": str(checkpoint(folder / "rgb.pth", 3))},
        "bands": ["red", "green", "blue"],
        "img_size": 64,
        "patch_size": 8,
        "patch_stride": 8,
        "embed_dim": 32,
        "depth": 1,
        "num_heads": 2,
        "decoder_embed_dim": 16,
        "decoder_depth": 1,
        "decoder_num_heads": 1,
        "no_data": 0,
        "data_mean": [120, 120, 120],
        "data_std": [60, 60, 60],
    }
    text = {
        "csv_inference_file": str(pairs),
        "paths_included_in_csvs": True,
        "inference_save_folder_frame_0": str(folder / "out0"),
        "inference_save_folder_frame_1": str(folder / "out1"),
        "num_frames": 2,
        "batch_size": 2,
        "use_gpu": False,
        "use_multi_gpu": False,
        "save_reconstructed_images": True,
        "feature_maps": {"return": True, "write_as_csv": False, "write_as_image": True, "embeddings": [0, 3]},
        "model_params": model,
        **keys,
    }
    path = folder / "photo.yaml"
    path.write_text(json.dumps(text))
    return read_reference(path, kind="photo")


def test_a_configuration_gives_the_names_of_the_reference_and_overwrites_nothing(photos, tmp_path):
    before, after = photos
    third = tmp_path / "third.jpg"
    picture(100, 170).save(third)
    file = configuration(tmp_path, [(before, after), (before, third), (before, tmp_path / "missing.jpg")])
    plan = plan_reference(file, {"runtime": "torch"})
    made = run_photos(plan, Place(exact=tmp_path / "run"))
    names = {f"{path.parent.name}/{path.name}" for path in made.placed}
    assert names == {
        "out0/cosines_été 1.tif",
        "out0/cosines_été 1-2.tif",
        "out0/feats_0_été 1.tif",
        "out0/feats_0_été 1-2.tif",
        "out1/feats_1_été 2.tif",
        "out1/feats_1_third.tif",
        "out0/été 1.tif",
        "out0/été 1-2.tif",
        "out1/été 2.tif",
        "out1/third.tif",
    }
    assert all(path.exists() for path in made.placed)
    with open_image(tmp_path / "out0" / "été 1.tif") as painted:
        assert painted.grid.shape == (100, 170)
        assert painted.dtype == np.uint8
    assert len(made.failed) == 1
    assert made.run.manifest.status == "partial"
    assert before.stat().st_size > 0
    with Image.open(before) as untouched:
        assert untouched.size == (170, 100)


def test_a_configuration_may_leave_out_the_cosines(photos, tmp_path):
    file = configuration(tmp_path, [photos], change_map={"return": False}, save_reconstructed_images=False)
    made = run_photos(plan_reference(file, {"runtime": "torch"}), Place(exact=tmp_path / "run"))
    assert {path.name for path in made.placed} == {"feats_0_été 1.tif", "feats_1_été 2.tif"}
    assert "cosine_map" not in {product.name.split("!")[0] for product in made.run.manifest.products}


def test_cosines_that_are_not_wanted_are_never_in_sight(photos, tmp_path, monkeypatch):
    file = configuration(tmp_path, [photos], change_map={"return": False})
    asked, run, real = plan_reference(file, {"runtime": "torch"}), tmp_path / "run", RunFolder.publish

    def stopping(self, file, *, name=None, **options):
        seen.append(name)
        if name.startswith("preview"):
            raise Interrupted("stopped", cure="Go on.")
        return real(self, file, name=name, **options)

    def in_sight():
        return {path.name.partition("!")[0] for path in run.iterdir() if path.suffix == ".tif"}

    seen = []
    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "publish", stopping)
        with pytest.raises(Interrupted):
            run_photos(asked, Place(exact=run))
    assert any(name.startswith("cosine_map") for name in seen), "stopped when all maps were there"
    assert not in_sight()
    made = run_photos(asked, Place(exact=run, resume=True))
    assert in_sight() == {"feature_maps_0", "feature_maps_1", "infer_0", "infer_1"}
    assert len(made.placed) == 4
    verify(made.run)


def test_nothing_of_a_pair_without_cosines_is_left_once_it_is_done_or_has_failed(photos, tmp_path, monkeypatch):
    before, after = photos
    Image.new("RGB", (170, 100)).save(tmp_path / "black.png")  # no pixel with data: the engine refuses it
    rows = [photos, (before, tmp_path / "black.png"), (after, before)]
    file = configuration(tmp_path, rows, change_map={"return": False}, save_reconstructed_images=False)
    asked, run, real = plan_reference(file, {"runtime": "torch"}), tmp_path / "run", photo_list.compare
    left = []

    def stopping(aside, *rest, suffix, **options):
        left.append([path.name for path in aside.path.parent.glob("pair-*") if path != aside.path])
        if suffix == asked.pairs[2].suffix:
            raise Interrupted("stopped", cure="Go on.")
        return real(aside, *rest, suffix=suffix, **options)

    with monkeypatch.context() as patched:
        patched.setattr(photo_list, "compare", stopping)
        with pytest.raises(Interrupted):
            run_photos(asked, Place(exact=run))
    assert left == [[], [], []]
    made = run_photos(asked, Place(exact=run, resume=True))
    assert len(made.placed) == 4 and len(made.failed) == 1
    verify(made.run)


def test_pictures_go_on_where_they_stopped_and_other_files_are_safe(photos, tmp_path, monkeypatch):
    before, after = photos
    rows = [(before, after), (after, before)]
    file = configuration(tmp_path, rows, feature_maps={"return": False}, save_reconstructed_images=False)
    plan, real = plan_reference(file, {"runtime": "torch"}), photo_list.compare

    def stopping(run, pair, *rest, suffix, **options):
        if suffix == plan.pairs[1].suffix:
            raise Interrupted("stopped", cure="Go on.")
        return real(run, pair, *rest, suffix=suffix, **options)

    (foreign := tmp_path / "out0" / f"cosines_{after.stem}.tif").parent.mkdir()
    foreign.write_bytes(b"somebody's")
    with pytest.raises(RunExists, match="cosines_"):
        run_photos(plan, Place(exact=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    foreign.unlink()
    monkeypatch.setattr(photo_list, "compare", stopping)
    with pytest.raises(Interrupted):
        run_photos(plan, Place(exact=tmp_path / "run"))
    monkeypatch.setattr(photo_list, "compare", real)
    made = run_photos(plan, Place(exact=tmp_path / "run", resume=True))
    assert {path.name for path in made.placed} == {f"cosines_{before.stem}.tif", foreign.name}
    assert made.run.manifest.status == "complete"


def test_a_list_warns_once_and_titles_say_before_and_after(photos, tmp_path, monkeypatch):
    before, after = photos
    turned, exif = tmp_path / "turned.jpg", Image.Exif()
    exif[274] = 6
    picture(170, 100).save(turned, exif=exif)
    means = {"model_params.data_mean": [9e4] * 3, "model_params.data_std": [500] * 3}
    file = configuration(tmp_path, [(before, after), (after, turned)], feature_maps={"return": False})
    file = read_reference(file.path, [f"{key}={value}" for key, value in means.items()], kind="photo")
    titles, draw = [], figures.panels

    def drawn(panels, path, *, title, language):
        titles.append(title)
        return draw(panels, path, title=title, language=language)

    monkeypatch.setattr(figures, "panels", drawn)
    asked = plan_reference(file, {"runtime": "torch", "language": "fr"})
    made = run_photos(asked, Place(exact=tmp_path / "run"), fit=True)
    assert made.failed == {}
    assert made.run.manifest.language == "fr"
    (said,) = made.run.manifest.warnings
    assert "de ce genre sur les images de la liste" in said
    assert [title for title in titles if "→" in title] == ["été 1 → été 2", "été 2 → turned"]


def test_a_row_that_fails_leaves_nothing(photos, tmp_path):
    turned, after = tmp_path / "turned.jpg", photos[1]
    exif = Image.Exif()
    exif[274] = 6
    picture(170, 100).save(turned, exif=exif)
    (tmp_path / "torn.jpg").write_bytes(after.read_bytes()[:500])
    file = configuration(tmp_path, [(turned, tmp_path / "torn.jpg"), photos], feature_maps={"return": False})
    made = run_photos(plan_reference(file, {"runtime": "torch"}), Place(exact=tmp_path / "run"))
    assert len(made.failed) == 1
    assert not [product.name for product in made.run.manifest.products if "turned" in product.name]
