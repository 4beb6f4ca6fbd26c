"""A whole configuration of Planaura, in one run folder: compare every pair, fuse them, put everything in its place."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from arpent.core import Normalisation, Progress, Silent, file_sha256, write_file
from arpent.engine import Network
from arpent.errors import ArpentError, ConfigError, ContractMismatch, InputError, InvalidSetting
from arpent.models import Bundle
from arpent.store import Place, Run, RunFolder
from arpent.store.manifest import Product
from arpent.tasks.change.comparing import compare
from arpent.tasks.change.mosaic import fuse
from arpent.tasks.change.mosaic_layers import product_name
from arpent.tasks.change.mosaic_pairs import PairProducts, delete_residues, find_pairs
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.tasks.change.pair_network import Asked, check_model, start_pair_network
from arpent.tasks.change.pairing import PairImage
from arpent.tasks.change.reference_config import ReferenceFile
from arpent.tasks.change.reference_plan import PlannedPair, ReferencePlan, placed
from arpent.tasks.change.save_folders import SaveFolders
from arpent.tasks.change.settings import ChangeSettings
from arpent.tasks.change.shifts import fold_shifts
from arpent.tasks.change.task import ChangeTask
from arpent.tasks.change.weights import ModelFit, find_model, is_bundle, load_model, published_checkpoint

__all__ = ["PairOutcome", "ReferenceRun", "model_fit", "reference_model", "run_reference"]

_OF_ONE_PAIR = (InputError, ConfigError, ContractMismatch)
"""What is wrong with a pair; all else, such as a full disk, is wrong with the run."""

_MANY = 10_000
"""Tiles that are worth the start of any runtime."""

_RECORDS = "pairs"
"""Folder of the scratch folder with one record per finished pair."""


@dataclass(frozen=True)
class PairOutcome:
    """What became of a pair.

    Attributes:
        item: what people call it.
        suffix: behind the names of its products; empty where it was never compared.
        state: "done" now, "kept" from an earlier attempt, or "failed".
        seconds: that it took.
        problem: why it failed, in one line.
    """

    item: str
    suffix: str
    state: Literal["done", "kept", "failed"]
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class ReferenceRun:
    """A finished configuration.

    Attributes:
        run: its run folder.
        outcomes: one per pair, in the order of the list.
        placed: the files in the folders of the configuration.
        notes: what people should know.
    """

    run: Run
    outcomes: tuple[PairOutcome, ...]
    placed: tuple[Path, ...]
    notes: tuple[str, ...]


class _Record(BaseModel):
    """What a finished pair has left, for a run that goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: tuple[str, ...]
    products: tuple[Product, ...]


def model_fit(file: ReferenceFile, *, reset_patch_embedding: bool = False) -> ModelFit:
    """What a checkpoint must be made fit for, as the configuration says.

    Args:
        file: the configuration.
        reset_patch_embedding: accept other bands than those of the checkpoint.
    """
    model = file.config.model_params
    normalisation = None
    if model.data_mean is not None and model.data_std is not None:
        normalisation = Normalisation(origin=file.path.name, mean=model.data_mean, std=model.data_std)
    return ModelFit(
        bands=model.bands,
        normalisation=normalisation,
        nodata=model.no_data,
        image_size=model.img_size,
        frames=file.config.num_frames,
        keep_positions=model.keep_pos_embedding,
        heads=model.num_heads,
        decoder_heads=model.decoder_num_heads,
        shape={
            "patch": model.patch_size,
            "width": model.embed_dim,
            "depth": model.depth,
            "decoder_width": model.decoder_embed_dim,
            "decoder_depth": model.decoder_depth,
        },
        reset_patch_embedding=reset_patch_embedding,
    )


def reference_model(file: ReferenceFile, progress: Progress | None = None) -> Path:
    """The file of the weights that a configuration names.

    Raises:
        InvalidSetting: it names none.
        FileMissing, WeightsMissing, NetworkMissing: they cannot be had.
    """
    load = file.config.model_params.load_params
    if load.source == "huggingface":
        return published_checkpoint(load.repo_id, load.model_name, progress)
    if not load.checkpoint_path:
        raise InvalidSetting(
            f"{file.path.name} names no weights",
            cure="Set model_params.load_params.checkpoint_path, or source: huggingface with repo_id and model_name.",
        )
    return find_model(placed(load.checkpoint_path, file.path.parent), progress)


def run_reference(
    plan: ReferencePlan,
    place: Place,
    *,
    reset_patch_embedding: bool = False,
    progress: Progress | None = None,
) -> ReferenceRun:
    """Does what a configuration of Planaura asks for.

    A pair that fails is noted, and the others go on; the run is then partial. A run that is resumed keeps the pairs
    that are finished.

    Args:
        plan: what is asked for.
        place: where the run goes; `force` also lets products replace those in the folders of the configuration.
        reset_patch_embedding: accept other bands than those of the checkpoint.
        progress: who is told how far it is.

    Raises:
        RunExists: the run, or products of the same names, are there already.
        ModelError: the weights cannot be used.
    """
    file, config, progress = plan.file, plan.config, progress or Silent()
    fuses = "mosaic" in config.task_list
    folders = SaveFolders(plan.folders, force=place.force)
    if not place.resume:
        suffixes = [one.suffix for one in plan.pairs] if "infer" in config.task_list else []
        folders.refuse_present(suffixes, config.mosaic_params.mosaic_save_postfix if fuses else None)
    settings = _settings_here(plan)
    kept = {
        "configuration": config.model_dump(mode="json", by_alias=True),
        "settings": settings.model_dump(mode="json", exclude={"read_threads", "language"}),
    }
    with place.begin("change", file.path.stem, kept) as run:
        work = _Work(run, plan, settings, folders, progress)
        run.add_input(file.path, role="configuration")
        run.add_input(placed(config.csv_inference_file, file.path.parent), role="list")
        if "infer" in config.task_list:
            path = reference_model(file, progress)
            bundle = load_model(path, model_fit(file, reset_patch_embedding=reset_patch_embedding))
            if is_bundle(path):
                work.notes.append(f"{path.name} describes itself: model_params tells only where it is")
            run.use_bundle(path, file_sha256(path if path.is_file() else path / "bundle.json"))
            work.compare_all(bundle)
        if fuses:
            work.fuse_all()
        return ReferenceRun(run.finish(), tuple(work.outcomes), tuple(work.placed), (*plan.notes, *work.notes))


def _settings_here(plan: ReferencePlan) -> ChangeSettings:
    """The settings of a plan on this machine: ``autocast_float16`` is for GPUs alone."""
    config, settings = plan.config, plan.settings
    if config.autocast_float16 and config.use_gpu and torch.cuda.is_available():
        return settings.model_copy(update={"precision": "bf16"})
    return settings


class _Work:
    """One configuration under way."""

    def __init__(
        self, run: RunFolder, plan: ReferencePlan, settings: ChangeSettings, folders: SaveFolders, progress: Progress
    ) -> None:
        self._run, self._plan, self._settings = run, plan, settings
        self._folders, self._progress = folders, progress
        self._names: dict[str, tuple[str, ...]] = {}
        self._started: tuple[Asked, Network] | None = None
        self.outcomes: list[PairOutcome] = []
        self.placed: list[Path] = []
        self.notes: list[str] = []

    def compare_all(self, bundle: Bundle) -> None:
        """Every pair of the list, those that fail noted."""
        for refused in self._plan.refused:
            self._failed(refused.item, "", refused.error, 0.0)
        with self._progress.bar(self._plan.file.path.name, len(self._plan.pairs), "pairs") as bar:
            for planned in self._plan.pairs:
                begun = time.perf_counter()
                try:
                    state = self._compared(planned, bundle)
                except _OF_ONE_PAIR as problem:
                    self._withdraw_new(planned)
                    self._failed(planned.pair.name, planned.suffix, problem, time.perf_counter() - begun)
                else:
                    seconds = time.perf_counter() - begun
                    self.outcomes.append(PairOutcome(planned.pair.name, planned.suffix, state, seconds))
                bar.advance()

    def fuse_all(self) -> None:
        """The mosaics of all pairs that are there; where that fails, the pairs stay as they are."""
        settings = self._mosaic_settings()
        before = set(self._run.published)
        try:
            pairs = list(self._pairs_to_fuse(settings))
            if not pairs:
                self.notes.append("no pair is there to be fused: no mosaics")
                return
            fused = fuse(self._run, pairs, settings, progress=self._progress)
        except _OF_ONE_PAIR as problem:
            self._run.add_failure("mosaic", problem)
            self.outcomes.append(PairOutcome("mosaic", "", "failed", problem=str(problem)))
            return
        self.notes.extend(fused.notes)
        self._place(set(self._run.published) - before)
        if self._plan.config.mosaic_params.delete_residues:
            self._remove_residues(pairs)

    def _compared(self, planned: PlannedPair, bundle: Bundle) -> Literal["done", "kept"]:
        """Compares a pair, unless an earlier attempt has finished it."""
        content = tuple(_looks(frame.image) for frame in planned.pair.frames)
        record = self._run.scratch / _RECORDS / f"{hashlib.sha256(planned.suffix.encode()).hexdigest()[:16]}.json"
        if self._kept(record, content, planned):
            return "kept"
        before = set(self._run.published)
        self._compare(planned, bundle)
        made = [product for name, product in self._run.published.items() if name not in before]
        self._settle(planned, made)
        record.parent.mkdir(parents=True, exist_ok=True)
        write_file(record, _Record(content=content, products=tuple(made)).model_dump_json())
        return "done"

    def _compare(self, planned: PlannedPair, bundle: Bundle) -> None:
        run, plan, shown = self._run, self._plan, self._progress
        if len(plan.shifts) == 1:
            network = self._network(planned, bundle, self._settings)
            compare(run, planned.pair, bundle, self._settings, suffix=planned.suffix, progress=shown, network=network)
            self._drop_unasked(planned)
            return
        suffixes = []
        for shift in plan.shifts:
            # Tables are those of the first prediction, as in the reference.
            settings = self._settings.model_copy(update={"shift": shift} | ({"table": "none"} if shift else {}))
            suffixes.append(f"{planned.suffix}{plan.config.concatenate_char}{shift}")
            # Without tables the network may be asked for less.
            own = self._network(planned, bundle, settings)
            compare(run, planned.pair, bundle, settings, suffix=suffixes[-1], progress=shown, network=own)
        fold_shifts(run, planned.suffix, suffixes, self._settings.language)
        self._drop_unasked(planned)

    def _network(self, planned: PlannedPair, bundle: Bundle, settings: ChangeSettings) -> Network:
        """The model, ready to run: started once for all pairs that ask the same of it."""
        model = check_model(bundle, len(planned.pair.frames), settings)
        with PairImage(planned.pair, bundle.contract, settings) as image:
            asked = ChangeTask(model, image, settings).asked
        if self._started is None or self._started[0] != asked:
            # A list is long enough for the fastest runtime, whatever its first pair is like.
            self._started = (asked, start_pair_network(bundle, asked, settings, tiles=_MANY))
        return self._started[1]

    def _drop_unasked(self, planned: PlannedPair) -> None:
        """The map of cosines comes with every pair; a configuration may do without."""
        name = f"cosine_map{planned.suffix}"
        if not self._plan.config.change_map.wanted and name in self._run.published:
            self._run.withdraw(name)

    def _kept(self, record: Path, content: tuple[str, ...], planned: PlannedPair) -> bool:
        try:
            found = _Record.model_validate_json(record.read_bytes())
        except (FileNotFoundError, ValidationError):
            return False
        if found.content != content or not all(self._run.keep(product) for product in found.products):
            return False
        for number, frame in enumerate(planned.pair.frames):
            last = number == len(planned.pair.frames) - 1
            self._run.add_input(frame.image, role="after" if last and number else "before")
        self._settle(planned, found.products)
        return True

    def _settle(self, planned: PlannedPair, products: tuple[Product, ...] | list[Product]) -> None:
        names = tuple(product.name for product in products)
        self._names[planned.suffix] = names
        self._place(names)

    def _place(self, names: Iterator[str] | tuple[str, ...] | set[str]) -> None:
        """Gives products their names in the folders of the configuration."""
        for name in sorted(names):
            product = self._run.published[name]
            if product.kind in ("raster", "table"):
                self.placed.append(self._folders.place(self._run.path / product.file))

    def _withdraw_new(self, planned: PlannedPair) -> None:
        """A pair that failed leaves nothing behind."""
        known = {name for names in self._names.values() for name in names}
        for name in self._run.published.keys() - known:
            if name.endswith(planned.suffix) or f"{planned.suffix}{self._plan.config.concatenate_char}" in name:
                self._run.withdraw(name)

    def _failed(self, item: str, suffix: str, problem: ArpentError, seconds: float) -> None:
        self._run.add_failure(item, problem)
        self.outcomes.append(PairOutcome(item, suffix, "failed", seconds, str(problem)))

    def _mosaic_settings(self) -> MosaicSettings:
        config, settings = self._plan.config, self._settings
        mosaic = config.mosaic_params
        return MosaicSettings(
            profile=settings.profile,
            crs=mosaic.target_crs,
            resolution=mosaic.target_resolution,
            reference=config.reference_prefix,
            ignore=config.ignore_prefixes or (),
            threshold=settings.threshold,
            postfix=mosaic.mosaic_save_postfix,
            date_regex=config.change_map.date_regex,
            read_threads=settings.read_threads,
            language=settings.language,
        )

    def _pairs_to_fuse(self, settings: MosaicSettings) -> Iterator[PairProducts]:
        """The pairs of this run or, where it compares none, those that earlier runs have left in the folders."""
        frames: Mapping[str, PlannedPair] = {one.suffix: one for one in self._plan.pairs}
        if "infer" not in self._plan.config.task_list:
            pairs = {suffix: one.pair for suffix, one in frames.items()}
            yield from find_pairs([folder for folder in self._plan.folders if folder.is_dir()], settings, pairs).pairs
            return
        for suffix, names in self._names.items():
            files = {}
            for name in names:
                product = self._run.published[name]
                named = product_name(name) if product.kind == "raster" else None
                if named is not None:
                    files[named.layer] = self._run.path / product.file
            if files:
                yield PairProducts(suffix, files, frames[suffix].pair)

    def _remove_residues(self, pairs: list[PairProducts]) -> None:
        """Removes the images of single pairs, here and in the folders; tables stay."""
        with suppress(KeyError):
            self.placed = [path for path in self.placed if path.name.startswith("mosaic_") or path.suffix != ".tif"]
        elsewhere = [
            PairProducts(pair.name, {layer: self._folders.target(file) for layer, file in pair.files.items()})
            for pair in pairs
        ]
        delete_residues(elsewhere)
        for names in self._names.values():
            for name in names:
                if self._run.published[name].kind == "raster":
                    self._run.withdraw(name)


def _looks(image: str) -> str:
    """What tells, without reading it, that an image is still the same."""
    path = Path(image)
    files = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
    seen = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    return hashlib.sha256(repr([image, seen]).encode()).hexdigest()
