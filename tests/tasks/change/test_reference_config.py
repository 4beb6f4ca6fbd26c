"""Planaura's configurations: both generations unchanged, each key with its effect, misspelt ones refused."""

from pathlib import Path

import pytest
import yaml

from arpent.errors import FileMissing, InvalidSetting, UnknownSetting, UnreadableFile
from arpent.tasks.change.reference_config import ReferenceConfig, read_reference
from arpent.tasks.change.reference_plan import plan_reference, reference_settings

COMMON = """
task_list: ["infer", "mosaic"]
csv_inference_file: "pairs.csv"
inference_input_folder_frame_0: "./epoch2023"
inference_input_folder_frame_1: "./epoch2024"
inference_save_folder_frame_0: "./epoch2023/inference"
inference_save_folder_frame_1: "./epoch2024/inference"
paths_included_in_csvs: false
use_multi_gpu : false
use_xarray: false
batch_size: 4
data_loader_num_workers: 1
autocast_float16: true
num_frames: 2
save_reconstructed_images: true
minimum_valid_percentage: 0.7
concatenate_char: "!"
num_predictions: 1
tif_compression: "LZW"
change_map:
  return: true
  upsample_cosine_map: true
  save_fmask_layer: true
  fmask_in_bit: true
  save_dates_layer: true
  date_regex: "\\\\.(\\\\d{7})T"
feature_maps:
  return: true
  {table}
  write_as_image: true
  embeddings: [0, 70, 71]
mosaic_params:
  delete_residues: true
  target_crs: "EPSG:3979"
  target_resolution: 30
  mosaic_save_postfix: "example"
model_params:
  load_params:
    source: "local"
    checkpoint_path: "./weights/Planaura-1.0-HLS.pth"
    repo_id: "NRCan/Planaura-1.0"
    model_name: "Planaura-1.0-HLS.pth"
  keep_pos_embedding: true
  backbone: "planaura_reconstruction"
  bands: ["B02", "B03", "B04", "B8A", "B11", "B12"]
  img_size: 512
  depth: 12
  decoder_depth: 8
  patch_size: 16
  patch_stride: 16
  embed_attention: true
  embed_dim: 768
  decoder_embed_dim: 512
  num_heads: 12
  decoder_num_heads: 16
  mask_ratio: 0.75
  tubelet_size: 1
  no_data: -9999
  data_mean: [643.9851, 845.6229, 788.6456, 2172.8008, 1489.5220, 883.1777]
  data_std: [1560.9802, 1540.3963, 1490.3253, 1327.4828, 906.7046, 672.1715]
"""
FIRST = COMMON.replace("{table}", "write_as_csv: true")
SECOND = COMMON.replace("{table}", "write_as_df: true\n  upsample_feature_map: false") + (
    'process_bbox: [231335.169,1626649.055, 239700.191,1634079.802]\nprocess_bbox_crs: "EPSG:32628"\n'
)
BEFORE, AFTER = "HLS.S30.T11UMU.2023237T185919.v2.tif", "nocloud.2024245T.tif"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with two images that exist and nothing else."""
    monkeypatch.chdir(tmp_path)
    for folder, name in (("epoch2023", BEFORE), ("epoch2024", AFTER)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
    (tmp_path / "pairs.csv").write_text(f"input_file_0,input_file_1\n     {BEFORE},{AFTER}\n")
    return tmp_path


@pytest.fixture
def read(place):
    def read(text=SECOND, *assignments, **options):
        (place / "planaura.yaml").write_text(text)
        return read_reference(place / "planaura.yaml", assignments, **options)

    return read


@pytest.mark.parametrize("text, generation, table", [(FIRST, "2026-01", "csv"), (SECOND, "2026-06", "geoparquet")])
def test_both_generations_are_read_unchanged(read, text, generation, table):
    plan = plan_reference(read(text), {"profile": "planaura"})
    assert plan.file.generation == generation
    settings = plan.settings
    assert settings.table == table
    assert (settings.profile, settings.minimum_valid, settings.batch_size) == ("planaura", 0.7, 4)
    assert (settings.quality, settings.dates, settings.reconstruct, settings.features) == ("yes", "yes", True, True)
    assert (settings.dims, settings.stride, settings.tile, settings.upsample) == ((0, 70, 71), 0, 0, True)
    assert settings.attention
    assert settings.box_crs == ("EPSG:32628" if generation == "2026-06" else None)
    (planned,) = plan.pairs
    assert [frame.date for frame in planned.pair.frames] == [2023237, 2024245]
    assert [frame.layer for frame in planned.pair.frames] == ["fmask", "fmask"]
    assert planned.suffix == "!HLS.S30.T11UMU.2023237T185919.v2!nocloud.2024245T"
    assert [str(folder) for folder in plan.folders] == ["epoch2023/inference", "epoch2024/inference"]
    told = " ".join(plan.notes)
    for key in ("use_multi_gpu", "use_xarray", "data_loader_num_workers", "model_params.mask_ratio", "LZW"):
        assert key in told


def test_every_key_of_the_reference_is_known():
    groups = {name: field.annotation for name, field in ReferenceConfig.model_fields.items()}
    assert {"task_list", "use_gpu", "reference_prefix", "ignore_prefixes", "image_format"} <= groups.keys()
    given = yaml.safe_load(SECOND)
    assert given.keys() <= groups.keys()


def test_photographs_start_from_other_defaults(read):
    bare = "csv_inference_file: a.csv\ninference_save_folder_frame_0: out\ninference_save_folder_frame_1: out\n"
    folders = "inference_input_folder_frame_0: in\ninference_input_folder_frame_1: in\n"
    assert not read(bare).config.feature_maps.write_as_image
    photo = read(bare + folders, kind="photo").config
    assert photo.feature_maps.write_as_image
    assert not photo.paths_included_in_csvs
    assert read(f"{bare}paths_included_in_csvs: true\n", kind="photo").config.paths_included_in_csvs


@pytest.mark.parametrize(
    "assignment, setting, value",
    [
        ("model_params.patch_stride=1", "stride", 1),
        ("model_params.patch_stride=8", "stride", 8),
        ("model_params.embed_attention=false", "attention", False),
        ("change_map.upsample_cosine_map=false", "upsample", False),
        ("change_map.save_fmask_layer=false", "quality", "no"),
        ("change_map.return=false", "quality", "no"),
        ("change_map.return=false", "dates", "no"),
        ("save_reconstructed_images=false", "reconstruct", False),
        ("feature_maps.return=false", "features", False),
        ("feature_maps.return=false", "table", "none"),
        ("feature_maps.write_as_df=false", "table", "none"),
        ("feature_maps.write_as_image=false", "features", False),
        ("feature_maps.embeddings=null", "dims", None),
        ("feature_maps.embeddings=[]", "dims", None),
        ("use_gpu=false", "device", "cpu"),
        ("batch_size=1", "batch_size", 1),
        ("process_bbox=[0, 1, 2, 3]", "box", (0, 1, 2, 3)),
        ("process_bbox_crs=null", "box_crs", None),
        ("minimum_valid_percentage=0.5", "minimum_valid", 0.5),
    ],
)
def test_each_key_has_its_effect(read, assignment, setting, value):
    settings = reference_settings(read(SECOND, assignment), {"profile": "planaura"})
    assert getattr(settings, setting) == value


def test_the_profile_of_arpent_keeps_every_pixel(read):
    plan = plan_reference(read(), {"exclude": ("cloud",), "runtime": "torch"})
    assert plan.settings.profile == "arpent"
    assert plan.settings.least_valid == 0
    assert plan.settings.exclude == ("cloud",)
    assert any("minimum_valid_percentage" in note for note in plan.notes)


@pytest.mark.parametrize(
    "wrong, told",
    [
        ("change_map.retrun=true", "Did you mean 'return'"),
        ("conactenate_char='!'", "Did you mean 'concatenate_char'"),
        ("model_params.load_params.chekpoint_path=x", "Did you mean 'checkpoint_path'"),
        ("target_crs=EPSG:4326", "Did you mean 'mosaic_params.target_crs'"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_right_one(read, wrong, told):
    with pytest.raises(UnknownSetting, match=told):
        read(SECOND, wrong)


@pytest.mark.parametrize(
    "wrong, told",
    [
        ("change_map.return=maybe", "Write cosine maps"),
        ("num_frames=4", "num_frames"),
        ("num_frames=3", "inference_save_folder_frame_2"),
        ("task_list=[infer, mosiac]", "task_list"),
        ("model_params.data_mean=[1, 2]", "as many numbers in data_mean"),
        ("model_params.data_std=null", "both data_mean and data_std"),
        ("model_params.data_std=[1, 1, 1, 1, 1, 0]", "more than 0"),
        ("model_params.patch_stride=3", "divides the patch_size"),
        ("model_params.img_size=500", "multiple of the patch_size"),
        ("model_params.no_data_float=0.5", "trained with"),
        ("model_params.patch_stride=3", "'model_params.patch_stride' cannot be used (found 3; expected"),
        ("model_params.tubelet_size=2", "tubelet_size"),
        ("process_bbox=[3, 1, 2, 4]", "left, bottom, right, top"),
        ("inference_input_folder_frame_1=''", "inference_input_folder_frame_1"),
        ("concatenate_char=x", "no letter or digit"),
        ("tif_compression=JPEG", "tif_compression"),
        ("csv_inference_file=${other}", "refers to another key"),
        ("minimum_valid_percentage=90", "1 or less"),
    ],
)
def test_a_wrong_value_is_told_with_its_key(read, wrong, told):
    with pytest.raises(InvalidSetting) as problem:
        read(SECOND, wrong)
    assert told in str(problem.value)


def test_a_name_that_no_file_can_have_is_told_with_its_key(read, place):
    told = r"'mosaic_params.mosaic_save_postfix' cannot be used \(found 'a/b'; expected a word"
    with pytest.raises(InvalidSetting, match=told):
        plan_reference(read(SECOND, "mosaic_params.mosaic_save_postfix=a/b", "task_list=[infer, mosaic]"))


def test_empty_groups_mean_their_defaults(read):
    bare = "csv_inference_file: a.csv\ninference_save_folder_frame_0: o\ninference_save_folder_frame_1: o\n"
    config = read(f"{bare}change_map:\nfeature_maps:\n").config
    assert config.change_map.upsample_cosine_map
    assert config.mosaic_params.target_crs == "EPSG:3979"


def test_paths_start_at_the_working_folder_or_at_the_file(read, place, monkeypatch):
    file = read()
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (planned,) = plan_reference(file).pairs
    assert Path(planned.pair.frames[0].image) == place / "epoch2023" / BEFORE
    whole = f"input_file_0,input_file_1\n{place / 'epoch2023' / BEFORE},epoch2024/{AFTER}\n"
    (place / "pairs.csv").write_text(whole)
    config = read(SECOND, "paths_included_in_csvs=true")
    assert len(plan_reference(config).pairs) == 1


def test_rows_that_cannot_be_done_do_not_stop_the_others(read, place):
    for name in ("undated.tif", "x.2023999T.tif"):
        (place / "epoch2023" / name).touch()
    (place / "epoch2023" / "sub").mkdir()
    (place / "epoch2023" / "sub" / BEFORE).touch()
    rows = [BEFORE, "gone.tif", "undated.tif", "x.2023999T.tif", f"sub/{BEFORE}", "n" * 300, ""]
    text = "input_file_0,input_file_1\n" + "".join(f"{row},{AFTER}\n" for row in rows)
    (place / "pairs.csv").write_text(text)
    plan = plan_reference(read())
    assert [planned.pair.name for planned in plan.pairs] == [f"{BEFORE} and {AFTER} (line 2)"]
    said = {one.item.rpartition("(")[2]: str(one.error) for one in plan.refused}
    assert "there is no image epoch2023/gone.tif" in said["line 3)"]
    assert r"\.(\d{7})T finds no date in undated.tif" in said["line 4)"]
    assert "--date0" in said["line 4)"]
    assert "is not a date" in said["line 5)"]
    assert "would be called like those of" in said["line 6)"]
    assert "there is no image" in said["line 7)"]
    assert any("lines 8 of the list name some images only" in note for note in plan.notes)
    dated = plan_reference(read(), dates=(2023001, None))
    assert dated.pairs[0].pair.frames[0].date == 2023001
    assert {one.item.rpartition("(")[2] for one in dated.refused} == {"line 3)", "line 6)", "line 7)"}


def test_without_a_pattern_dates_are_counted_as_the_reference_does(read):
    plan = plan_reference(read(SECOND, "change_map.date_regex=null"))
    assert [frame.date for frame in plan.pairs[0].pair.frames] == [0, 1]
    assert any("no date_regex" in note for note in plan.notes)
    undated = read(SECOND, "change_map.date_regex=null", "change_map.save_dates_layer=false")
    assert plan_reference(undated).pairs[0].pair.frames[0].date == 0  # the layer of qualities brings dates along
    nothing = read(
        SECOND, "change_map.date_regex=null", "change_map.save_dates_layer=false", "change_map.save_fmask_layer=false"
    )
    assert plan_reference(nothing).pairs[0].pair.frames[0].date is None


def test_products_never_go_among_the_images(read, place):
    (place / "link").symlink_to(place / "epoch2024")
    for folder in ("epoch2024", "./epoch2023/../epoch2024/", "link"):
        with pytest.raises(InvalidSetting, match="is a folder of the images"):
            plan_reference(read(SECOND, f"inference_save_folder_frame_1={folder}"))


def test_a_configuration_that_asks_for_nothing_is_told(read):
    with pytest.raises(InvalidSetting, match="asks for nothing"):
        plan_reference(
            read(
                SECOND,
                "change_map.return=false",
                "feature_maps.return=false",
                "save_reconstructed_images=false",
            )
        )


def test_lists_that_are_not_there(read, place):
    with pytest.raises(FileMissing, match="csv_inference_file"):
        plan_reference(read(SECOND, "csv_inference_file=none.csv"))
    (place / "pairs.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UnreadableFile, match="input_file_0"):
        plan_reference(read())
