"""The one training loop: any task, one or several devices, and the same weights after an interruption."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from arpent.core.progress import Bar, Progress, Silent
from arpent.core.writing import write_file, writing
from arpent.data import Share
from arpent.engine.average import MovingAverage
from arpent.engine.checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint
from arpent.engine.devices import channels_last, placed
from arpent.engine.optimise import Schedule, make_optimiser
from arpent.engine.pictures import example_pictures
from arpent.engine.processes import Processes, peers
from arpent.engine.settings import FitSettings
from arpent.engine.stems import bfloat16
from arpent.engine.task import Batch, Batches, Task, inputs_of
from arpent.engine.tuning import Start
from arpent.engine.validation import require_figure, validate
from arpent.errors import EmptySplit, Interrupted, InvalidSetting, LossNotFinite, RunExists
from arpent.models import as_one

__all__ = ["Epoch", "Fit", "fit", "improves"]


@dataclass(frozen=True)
class Epoch:
    """One line of a training's history.

    Attributes:
        number: from 1 on.
        train_loss: mean over its batches.
        rate: learning rate at its end.
        validation: loss and metrics on the validation set.
    """

    number: int
    train_loss: float
    rate: float
    validation: Mapping[str, float]


@dataclass(frozen=True)
class Fit:
    """A finished training: the model holds the weights of its best epoch, on the CPU, in evaluation mode."""

    model: nn.Module
    best: Epoch
    history: Sequence[Epoch]


@dataclass
class _State:
    """What changes during training besides weights."""

    epoch: int = 0
    stale: int = 0
    best: Epoch | None = None
    history: list[Epoch] = field(default_factory=list)


def fit(
    task: Task,
    train: Batches,
    validation: Batches,
    settings: FitSettings,
    folder: Path,
    *,
    start: Start | None = None,
    progress: Progress | None = None,
    resume: bool = False,
) -> Fit:
    """Trains a task's model.

    Args:
        task: builds the model, its loss and its metrics.
        train: training batches.
        validation: batches on which epochs are compared.
        settings: how to train.
        folder: for checkpoints (``checkpoint.pt``, ``best.pt``), ``history.jsonl`` and TensorBoard's ``logs/``.
        start: a model to go on from instead of a new one, and what of it is to move.
        progress: who is told how far it is.
        resume: go on from the checkpoint in `folder`, if there is one.

    Started in several processes (``accelerate launch``, ``torchrun``), each computes its share of every batch and
    their gradients are averaged: the batch is that of one process, not larger. What looks across its samples (batch
    norm, dropout, sums of a loss) sees those of all processes, so that they learn what one would, to rounding. The
    first process alone uses `folder`, and tells the others what is in it. All of them return the same.

    Raises:
        UnknownName: the best epoch is to be picked by a figure that there is not.
        EmptySplit: no batch to train or to validate on.
        LossNotFinite: the loss is no longer a number, in any process; names the samples at fault.
        Interrupted: by Ctrl-C; the last finished epoch is kept.
        ProcessLost: another process has ended.
        RunExists: `folder` holds a training already and `resume` is off.
    """
    require_figure(task, settings.best)
    processes = Processes.joined(settings.device)
    recipe = _recipe(settings, start)
    kept = processes.told(lambda: _begun(train, validation, recipe, folder, resume=resume))
    torch.manual_seed(settings.seed)
    trainer = _Trainer(task, start or Start(task.build()), settings, folder, train.steps(), processes)
    if kept is not None:
        trainer.restore(kept)
    try:
        return trainer.run(train, validation, progress if progress and processes.leads else Silent())
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"training stopped in epoch {trainer.state.epoch + 1} of {settings.epochs}; finished epochs are kept",
            cure="Run the same command with --resume to go on.",
        ) from stop
    finally:
        trainer.close()


def _recipe(settings: FitSettings, start: Start | None) -> str:
    """What a checkpoint must have been made by for a training to go on from it."""
    tuning = start.tuning if start else None
    return settings.model_dump_json() + (json.dumps(dict(tuning.factors), sort_keys=True) if tuning else "")


def _begun(train: Batches, validation: Batches, recipe: str, folder: Path, *, resume: bool) -> dict[str, Any] | None:
    """Makes the folder ready; the checkpoint to go on from, if there is one."""
    for name, batches in (("training", train), ("validation", validation)):
        if not batches.steps():
            raise EmptySplit(f"there is no {name} sample", cure="Check the index and its splits.")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    if not resume:
        raise RunExists(f"{folder} holds a training already", cure="Resume it (--resume), or choose another folder.")
    kept = read_checkpoint(path)
    if kept["settings"] != recipe:
        raise InvalidSetting(
            f"the training in {folder} was started with other settings",
            cure="Give the same settings to go on, or choose another folder.",
        )
    return kept


class _Trainer:
    """The moving parts of one call of `fit`."""

    def __init__(
        self, task: Task, start: Start, settings: FitSettings, folder: Path, batches: int, processes: Processes
    ) -> None:
        model, self._tuning, self._recipe = start.model, start.tuning, _recipe(settings, start)
        if self._tuning is not None:
            self._tuning.prepare(model)
        self._task, self._settings, self._folder, self._processes = task, settings, folder, processes
        # Mixed precision is ours (bfloat16 needs no loss scaling): accelerate fixes its own for the whole process.
        self._accelerator = Accelerator(cpu=processes.device.type == "cpu", mixed_precision="no")
        optimiser = make_optimiser(settings.optimiser, model, self._tuning)
        self._model, self._optimiser = self._accelerator.prepare(channels_last(model), optimiser)
        steps = math.ceil(batches / settings.accumulate) * settings.epochs
        self._schedule = Schedule(settings.optimiser, optimiser, steps)
        # Gradients of half precision are too small for it: the loss is made larger, and steps are made smaller again.
        self._scaler = torch.amp.GradScaler(processes.device.type, enabled=settings.precision == "f16")
        self._average = MovingAverage(self._plain(), settings.average) if settings.average else None
        self.state = _State()
        self._logs: Any = None
        if processes.leads:
            from torch.utils.tensorboard import SummaryWriter

            self._logs = SummaryWriter(str(folder / "logs"))

    def _plain(self) -> nn.Module:
        """The model without what accelerate wraps around it."""
        model: nn.Module = self._accelerator.unwrap_model(self._model)
        return model

    def _autocast(self) -> AbstractContextManager[Any]:
        kind, precision = self._accelerator.device.type, self._settings.precision
        half = precision == "f16"
        return torch.autocast(kind, torch.float16) if half else bfloat16(kind, enabled=precision == "bf16")

    def run(self, train: Batches, validation: Batches, progress: Progress) -> Fit:
        """All epochs that are left."""
        settings, state = self._settings, self.state
        total = settings.epochs * train.steps()
        with progress.bar("train", total, "batches") as bar:
            bar.advance(state.epoch * train.steps())
            while state.epoch < settings.epochs and not self._stalled():
                loss = self._train_epoch(train, bar)
                self._end_epoch(loss, self._validate(validation), bar)
                self._processes.alone(lambda: self._show(validation))
        best = state.best
        if best is None:
            raise LossNotFinite(
                f"no epoch reached a finite '{settings.best}' on the validation set",
                cure="Lower the learning rate, or check the validation samples.",
            )
        model = self._plain().to("cpu").eval()
        model.load_state_dict(self._processes.told(lambda: read_checkpoint(self._folder / "best.pt")["model"]))
        return Fit(model, best, tuple(state.history))

    def _stalled(self) -> bool:
        patience = self._settings.patience
        return patience is not None and self.state.stale >= patience

    def _train_epoch(self, train: Batches, bar: Bar) -> float:
        """One pass; the mean loss over all processes."""
        self._model.train()
        if self._tuning is not None:
            self._tuning.hold(self._plain())
        rank, world = self._processes.rank, self._processes.world
        # Dropout in an epoch depends on its number alone, so a resumed epoch draws what it would have drawn, and every
        # process what one would: each draws for the whole batch, and keeps what falls to its own part.
        torch.manual_seed(self._settings.seed * 1_000_003 + self.state.epoch + 1)
        total, count = 0.0, train.steps()
        self._optimiser.zero_grad(set_to_none=True)
        for number, batch in enumerate(train.epoch(self.state.epoch, share=Share(rank, world))):
            last = number + 1 == count
            step = last or (number + 1) % self._settings.accumulate == 0
            in_group = self._settings.accumulate
            if number >= count - count % self._settings.accumulate:
                in_group = count % self._settings.accumulate
            with peers():
                total += self._learn(batch, step=step, share=1 / in_group)
            bar.advance()
            bar.note(f"epoch {self.state.epoch + 1}/{self._settings.epochs} · loss {total / (number + 1):.3f}")
        return total / count

    def _learn(self, batch: Batch, *, step: bool, share: float) -> float:
        """Forward and backward of one batch, and a step of the optimiser if it is time; the loss of all processes."""
        here = placed(batch, self._accelerator.device)
        hold: AbstractContextManager[Any] = torch.enable_grad()
        if not step:
            hold = self._accelerator.no_sync(self._model)
        with hold:
            with self._autocast(), self._shared(batch):
                out = self._model(*inputs_of(here))
                loss = self._task.loss(out, here)
            value = self._processes.mean(loss.detach())
            if not math.isfinite(value):
                raise self._diverged(float(loss.detach()), batch)
            self._accelerator.backward(self._scaler.scale(loss * share))
        if step:
            self._scaler.unscale_(self._optimiser)
            if self._settings.clip is not None:
                self._accelerator.clip_grad_norm_(self._model.parameters(), self._settings.clip)
            self._scaler.step(self._optimiser)
            self._scaler.update()
            self._optimiser.zero_grad(set_to_none=True)
            self._schedule.after_step()
            if self._average is not None:
                self._average.update(self._plain())
        return value

    def _shared(self, batch: Batch) -> AbstractContextManager[Any]:
        """Around what looks across the samples of a batch: it sees those of all processes."""
        return nullcontext() if self._processes.world == 1 else as_one(batch["part"])

    def _diverged(self, value: float, batch: Batch) -> LossNotFinite:
        """The error that all processes raise together when the loss of any of them is no number."""
        everywhere = self._processes.gathered((value, list(batch.get("names", ()))))
        # Each may be a number and their sum too large for one: then all are at fault.
        wrong = [one for one in everywhere if not math.isfinite(one[0])] or everywhere
        samples = _listed([name for _, names in wrong for name in names])
        again = "; then start over with --force, since finished epochs are kept" if self.state.epoch else ""
        return LossNotFinite(
            f"the loss is no longer a number in epoch {self.state.epoch + 1}",
            found=wrong[0][0],
            cure=f"Lower the learning rate, or look at these samples: {samples}{again}.",
        )

    def _validate(self, validation: Batches) -> dict[str, float]:
        """Loss and metrics with the weights that would be kept."""
        kept = self._average.model if self._average is not None else self._plain()
        with self._autocast():
            return validate(self._task, kept, validation, self._processes)

    def _end_epoch(self, loss: float, validation: dict[str, float], bar: Bar) -> None:
        """Compares, keeps and writes down an epoch."""
        state, settings = self.state, self._settings
        if settings.best not in validation:
            raise InvalidSetting(
                f"the validation samples give no '{settings.best}' to pick the best epoch by",
                expected=" or ".join(sorted(validation)),
                cure="Set 'fit.best' to one of these.",
            )
        state.epoch += 1
        self._schedule.after_epoch(validation["loss"])
        epoch = Epoch(state.epoch, loss, self._optimiser.param_groups[0]["lr"], validation)
        state.history.append(epoch)
        better = self._better(epoch)
        state.stale = 0 if better else state.stale + 1
        if better:
            state.best = epoch
        bar.note(" · ".join([f"epoch {state.epoch}", *(f"{k} {v:.3f}" for k, v in validation.items() if "/" not in k)]))
        self._processes.alone(lambda: self._keep(epoch, better=better))

    def _better(self, epoch: Epoch) -> bool:
        value = epoch.validation[self._settings.best]
        if not math.isfinite(value):
            return False
        if self.state.best is None:
            return True
        before = self.state.best.validation[self._settings.best]
        return improves(value, before, self._settings.best)

    def _keep(self, epoch: Epoch, *, better: bool) -> None:
        """Writes history, logs, the best weights and, last, the checkpoint."""
        for name, value in {"train/loss": epoch.train_loss, "train/rate": epoch.rate}.items():
            self._logs.add_scalar(name, value, epoch.number)
        for name, value in epoch.validation.items():
            self._logs.add_scalar(f"validation/{name}", value, epoch.number)
        self._logs.flush()
        kept = self._average.model if self._average is not None else self._plain()
        if better:
            write_checkpoint(self._folder / "best.pt", {"model": kept.state_dict()})
        lines = [json.dumps(asdict(one)) for one in self.state.history]
        write_file(self._folder / "history.jsonl", "\n".join(lines) + "\n")
        write_checkpoint(self._folder / CHECKPOINT, self._snapshot())

    def _show(self, validation: Batches) -> None:
        """Logs pictures of what the weights that would be kept make of the first validation batch."""
        kept = self._average.model if self._average is not None else self._plain()
        with self._autocast():
            shown = example_pictures(self._task, kept, validation, self._accelerator.device)
        for name, picture in shown.items():
            self._logs.add_image(f"validation/{name}", picture, self.state.epoch)

    def _snapshot(self) -> dict[str, Any]:
        state = self.state
        return {
            "model": self._plain().state_dict(),
            "average": self._average.model.state_dict() if self._average is not None else None,
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state(),
            "scaler": self._scaler.state_dict(),
            "epoch": state.epoch,
            "stale": state.stale,
            "best": state.best.number if state.best else None,
            "history": [asdict(one) for one in state.history],
            "settings": self._recipe,
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self._plain().load_state_dict(kept["model"])
        if self._average is not None:
            self._average.model.load_state_dict(kept["average"])
        self._optimiser.load_state_dict(kept["optimiser"])
        self._schedule.restore(kept["schedule"])
        self._scaler.load_state_dict(kept.get("scaler", {}))
        history = [Epoch(**one) for one in kept["history"]]
        best = next((one for one in history if one.number == kept["best"]), None)
        self.state = _State(epoch=kept["epoch"], stale=kept["stale"], best=best, history=history)

    def close(self) -> None:
        """Ends the logs."""
        if self._logs is not None:
            self._logs.close()


def improves(value: float, before: float, figure: str) -> bool:
    """Whether a validation figure is better than another one: of losses the smaller, of metrics the larger."""
    return value < before if figure == "loss" else value > before


def _listed(names: Sequence[object]) -> str:
    once = list(dict.fromkeys(map(str, names)))
    return ", ".join(once[:8]) + (" …" if len(once) > 8 else "") if once else "those of this batch"
