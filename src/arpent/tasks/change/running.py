"""A whole configuration of Planaura, in one run folder: compare every pair, fuse them, put everything in its place."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from arpent.core import Progress, Silent
from arpent.errors import ArpentError, PartialFailure
from arpent.language import say
from arpent.models import Bundle
from arpent.store import Place, Run, RunFolder
from arpent.store.manifest import Product
from arpent.tasks.change.comparing import compare, hand_over, pair_scratch
from arpent.tasks.change.finished_pairs import FinishedPairs
from arpent.tasks.change.frames import files_of
from arpent.tasks.change.judgement import noted_thresholds
from arpent.tasks.change.many_pairs import OF_ONE_PAIR, Doubts, ListNetworks, swept
from arpent.tasks.change.mosaic import forget, fuse
from arpent.tasks.change.mosaic_layers import product_name
from arpent.tasks.change.mosaic_pairs import PairProducts, delete_residues, find_pairs
from arpent.tasks.change.mosaic_settings import MosaicSettings
from arpent.tasks.change.pair_network import check_model
from arpent.tasks.change.pairing import PairImage
from arpent.tasks.change.reference_model import model_fit, reference_model
from arpent.tasks.change.reference_plan import PlannedPair, ReferencePlan, mosaic_settings, placed
from arpent.tasks.change.save_folders import SaveFolders
from arpent.tasks.change.settings import ChangeSettings
from arpent.tasks.change.shifts import fold_shifts
from arpent.tasks.change.weights import is_bundle, load_model

__all__ = ["PairOutcome", "ReferenceRun", "run_reference"]


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


def run_reference(
    plan: ReferencePlan,
    place: Place,
    *,
    reset_patch_embedding: bool = False,
    progress: Progress | None = None,
) -> ReferenceRun:
    """Does what a configuration of Planaura asks for.

    A pair that fails is noted, and the others go on; the run is then partial. A run that is resumed, unfinished or
    partial, keeps the pairs that are finished, does the others, and fuses all of them. A finished run is replaced only
    by one in which something could be done.

    Args:
        plan: what is asked for.
        place: where the run goes; `force` also lets products replace those in the folders of the configuration.
        reset_patch_embedding: accept other bands than those of the checkpoint.
        progress: who is told how far it is.

    Raises:
        RunExists: the run, or products of the same names, are there already.
        ModelError: the weights cannot be used.
        InvalidSetting, ContractMismatch: the model cannot do what the configuration asks of every pair.
        PartialFailure: nothing could be done, and the run that was to be replaced stays.
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
    path, bundle = None, None
    if "infer" in config.task_list:
        path = reference_model(file, progress)
        bundle = load_model(path, model_fit(file, reset_patch_embedding=reset_patch_embedding))
        check_model(bundle, config.num_frames, settings)
    table = placed(config.csv_inference_file, file.path.parent)
    read = [read for planned in plan.pairs for read in files_of(planned.pair.frames, path)]
    with place.begin("change", file.path.stem, kept, [file.path, table, *read], language=settings.language) as run:
        work = _Work(run, plan, settings, folders, progress)
        run.add_input(file.path, role="configuration")
        run.add_input(table, role="list")
        folders.make_ready()
        if path is not None and bundle is not None:
            if is_bundle(path):
                work.notes.append(say("reference.describes_itself", settings.language, name=path.name))
            run.use_bundle(path)
            work.compare_all(bundle)
            work.doubts.tell(run, settings.language)
        if fuses:
            work.fuse_all()
        if place.force:
            work.refuse_nothing_done()
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
        self._finished = FinishedPairs(run)
        self._names: dict[str, tuple[str, ...]] = {}
        self.outcomes: list[PairOutcome] = []
        self.placed: list[Path] = []
        self.notes: list[str] = []
        self.doubts = Doubts()

    def compare_all(self, bundle: Bundle) -> None:
        """Every pair of the list, those that fail noted."""
        for refused in self._plan.refused:
            self._failed(refused.item, "", refused.error, 0.0)
        pairs = self._plan.pairs
        networks = ListNetworks(bundle, [one.pair for one in pairs], len(self._plan.shifts))
        with self._progress.bar(self._plan.file.path.name, len(pairs), "pairs") as bar:
            for planned in swept(pairs):
                begun = time.perf_counter()
                try:
                    state = self._compared(planned, bundle, networks)
                except OF_ONE_PAIR as problem:
                    self._withdraw_new()
                    self._clear_scratch(planned)
                    self._failed(planned.pair.name, planned.suffix, problem, time.perf_counter() - begun)
                else:
                    seconds = time.perf_counter() - begun
                    self.outcomes.append(PairOutcome(planned.pair.name, planned.suffix, state, seconds))
                bar.advance()

    def fuse_all(self) -> None:
        """The mosaics of all pairs that are there; where that fails, the pairs stay as they are."""
        settings = mosaic_settings(self._plan.file, self._settings)
        # They may be of fewer pairs, and products are never written over.
        outdated = self._finished.mosaics()
        if outdated:
            forget(self._run)
        self._clear_outdated(outdated)
        before = set(self._run.published)
        try:
            pairs = list(self._pairs_to_fuse(settings))
            if not pairs:
                self.notes.append(say("reference.no_mosaic", self._plan.settings.language))
                return
            fused = fuse(self._run, pairs, settings, progress=self._progress)
        except OF_ONE_PAIR as problem:
            self._run.add_failure("mosaic", problem)
            self.outcomes.append(PairOutcome("mosaic", "", "failed", problem=str(problem)))
            return
        self.notes.extend(fused.notes)
        made = [one for name, one in self._run.published.items() if name not in before]
        self._finished.remember_mosaics(made)
        self._place({one.name for one in made})
        if self._plan.config.mosaic_params.delete_residues:
            self._remove_residues(pairs)

    def refuse_nothing_done(self) -> None:
        """Ends a run in which all has failed, where a good one stands aside for it.

        Raises:
            PartialFailure: says what failed first.
        """
        if self._run.replaces and all(one.state == "failed" for one in self.outcomes):
            first = f"; first: {self.outcomes[0].problem}" if self.outcomes else ""
            name, path = self._plan.file.path.name, self._run.path
            raise PartialFailure(
                f"nothing of {name} could be done, and the run {path} stays as it was{first}",
                cure="Correct this and repeat the command.",
            )

    def _compared(self, planned: PlannedPair, bundle: Bundle, networks: ListNetworks) -> Literal["done", "kept"]:
        """Compares a pair, unless an earlier attempt has finished it."""
        products = self._finished.recall(planned.pair, planned.suffix)
        if products is not None:
            self._settle(planned, products)
            return "kept"
        self._clear_outdated(self._finished.of(planned.suffix))
        before, known = set(self._run.published), self._run.measured
        self._compare(planned, bundle, networks)
        made = [one for name, one in self._run.published.items() if name not in before]
        self._settle(planned, made)
        measured = {name: value for name, value in self._run.measured.items() if name not in known}
        self._finished.remember(planned.pair, planned.suffix, made, measured)
        self._clear_scratch(planned)  # only now: a run that stops before goes on from the single predictions
        return "done"

    def _compare(self, planned: PlannedPair, bundle: Bundle, networks: ListNetworks) -> None:
        run, plan = self._run, self._plan
        shifts = plan.shifts
        if len(shifts) > 1:
            with PairImage(planned.pair, bundle.contract, self._settings) as image:
                # Beyond the image there is nothing to predict.
                shifts = tuple(shift for shift in shifts if shift < min(image.grid.shape))
        mark = plan.config.concatenate_char
        shifted = tuple(f"{planned.suffix}{mark}{shift}" for shift in shifts) if len(plan.shifts) > 1 else ()
        # The map of cosines comes with every pair; a configuration may do without.
        without = "" if plan.config.change_map.wanted else "cosine_map"
        # Such a map is no product, nor is that of one shift: nobody shall find it where a run was stopped.
        single = run.aside(pair_scratch(run, planned.suffix)) if shifted or without else run
        for shift, suffix in zip(shifts, shifted or (planned.suffix,), strict=True):
            # Tables are those of the first prediction, as in the reference.
            settings = self._settings.model_copy(update={"shift": shift} | ({"table": "none"} if shift else {}))
            network = networks.of(planned.pair, settings)
            compare(
                single,
                planned.pair,
                bundle,
                settings,
                suffix=suffix,
                progress=self._progress,
                network=network,
                warn=self.doubts.add,
            )
        if shifted:
            wanted = self._settings
            forms: dict[str, Any] = {"compression": wanted.compression, "language": wanted.language}
            fold_shifts(run, single, planned.suffix, shifted, without=without, **forms)
        elif without:
            hand_over(run, single, without=f"{without}{planned.suffix}")

    def _clear_scratch(self, planned: PlannedPair) -> None:
        """Removes what was needed to go on with a pair: of thousands of pairs it would fill a disk."""
        shutil.rmtree(pair_scratch(self._run, planned.suffix), ignore_errors=True)

    def _clear_outdated(self, products: Sequence[Product]) -> None:
        """Removes products of an earlier attempt, of a pair that has changed since or of a shorter list."""
        for product in products:
            if self._run.keep(product):
                self._folders.withdraw(self._run.path / product.file)
                self._run.withdraw(product.name)

    def _settle(self, planned: PlannedPair, products: tuple[Product, ...] | list[Product]) -> None:
        names = tuple(product.name for product in products)
        self._names[planned.suffix] = names
        self._place(names)

    def _place(self, names: Iterator[str] | tuple[str, ...] | set[str]) -> None:
        """Gives products their names in the folders of the configuration."""
        for name in sorted(names):
            product = self._run.published[name]
            if product.kind in ("raster", "table") or product.file.endswith(".qml"):
                self.placed.append(self._folders.place(self._run.path / product.file))

    def _withdraw_new(self) -> None:
        """A pair that failed leaves nothing behind."""
        known = {name for names in self._names.values() for name in names}
        for name in self._run.published.keys() - known:
            self._run.withdraw(name)

    def _failed(self, item: str, suffix: str, problem: ArpentError, seconds: float) -> None:
        self._run.add_failure(item, problem)
        self.outcomes.append(PairOutcome(item, suffix, "failed", seconds, str(problem)))

    def _pairs_to_fuse(self, settings: MosaicSettings) -> Iterator[PairProducts]:
        """The pairs of this run or, where it compares none, those that earlier runs have left in the folders."""
        frames: Mapping[str, PlannedPair] = {one.suffix: one for one in self._plan.pairs}
        if "infer" not in self._plan.config.task_list:
            pairs = {suffix: one.pair for suffix, one in frames.items()}
            yield from find_pairs([folder for folder in self._plan.folders if folder.is_dir()], settings, pairs).pairs
            return
        limits = noted_thresholds(self._run.measured)
        for suffix, names in self._names.items():
            files = {}
            for name in names:
                product = self._run.published[name]
                named = product_name(name) if product.kind == "raster" else None
                if named is not None:
                    files[named.layer] = self._run.path / product.file
            if files:
                yield PairProducts(suffix, files, frames[suffix].pair, thresholds=limits)

    def _remove_residues(self, pairs: list[PairProducts]) -> None:
        """Removes the images of single pairs, here and in the folders; tables stay."""
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
