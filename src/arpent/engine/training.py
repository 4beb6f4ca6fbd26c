"""The one training loop: any task, one or several devices, and the same weights after an interruption."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from arpent.core.progress import Bar, Progress, Silent
from arpent.core.writing import write_file
from arpent.engine.average import MovingAverage
from arpent.engine.checkpoint import read_checkpoint, write_checkpoint
from arpent.engine.devices import as_channels_last, channels_last, choose_device
from arpent.engine.optimise import Schedule, make_optimiser
from arpent.engine.settings import FitSettings
from arpent.engine.task import Batch, Task
from arpent.errors import EmptySplit, Interrupted, InvalidSetting, LossNotFinite, RunExists

__all__ = ["Batches", "Epoch", "Fit", "fit"]


class Batches(Protocol):
    """Where batches come from; `data.Batches` satisfies it.

    The batches of an epoch depend on its number alone, not on what was asked before.
    """

    def steps(self, number: int = 0) -> int:
        """Batches of an epoch; the same for all."""
        ...

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the one numbered `start` on."""
        ...


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
    model: nn.Module | None = None,
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
        model: a model to go on from, instead of a new one.
        progress: who is told how far it is.
        resume: go on from the checkpoint in `folder`, if there is one.

    Raises:
        EmptySplit: no batch to train or to validate on.
        LossNotFinite: the loss is no longer a number; names the samples of the batch.
        Interrupted: by Ctrl-C; the last finished epoch is kept.
        RunExists: `folder` holds a training already and `resume` is off.
    """
    for name, batches in (("training", train), ("validation", validation)):
        if not batches.steps():
            raise EmptySplit(f"there is no {name} sample", cure="Check the index and its splits.")
    if (folder / "checkpoint.pt").exists() and not resume:
        raise RunExists(f"{folder} holds a training already", cure="Resume it (--resume), or choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    trainer = _Trainer(task, model or task.build(), settings, folder, train.steps())
    if resume:
        trainer.restore()
    try:
        return trainer.run(train, validation, progress or Silent())
    except KeyboardInterrupt as stop:
        raise Interrupted(
            f"training stopped in epoch {trainer.state.epoch + 1} of {settings.epochs}; finished epochs are kept",
            cure="Run the same command with --resume to go on.",
        ) from stop
    finally:
        trainer.close()


class _Trainer:
    """The moving parts of one call of `fit`."""

    def __init__(self, task: Task, model: nn.Module, settings: FitSettings, folder: Path, batches: int) -> None:
        self._task, self._settings, self._folder = task, settings, folder
        # Mixed precision is ours (bfloat16 needs no loss scaling): accelerate fixes its own for the whole process.
        device = choose_device(settings.device)
        if device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)
        self._accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no")
        optimiser = make_optimiser(settings.optimiser, model.parameters())
        self._model, self._optimiser = self._accelerator.prepare(channels_last(model), optimiser)
        steps = math.ceil(batches / settings.accumulate) * settings.epochs
        self._schedule = Schedule(settings.optimiser, optimiser, steps)
        self._average = MovingAverage(self._plain(), settings.average) if settings.average else None
        self.state = _State()
        self._logs: Any = None
        if self._accelerator.is_main_process:
            from torch.utils.tensorboard import SummaryWriter

            self._logs = SummaryWriter(str(folder / "logs"))

    def _plain(self) -> nn.Module:
        """The model without what accelerate wraps around it."""
        model: nn.Module = self._accelerator.unwrap_model(self._model)
        return model

    def _autocast(self) -> AbstractContextManager[Any]:
        reduced = self._settings.precision == "bf16"
        return torch.autocast(self._accelerator.device.type, torch.bfloat16, enabled=reduced)

    def run(self, train: Batches, validation: Batches, progress: Progress) -> Fit:
        """All epochs that are left."""
        settings, state = self._settings, self.state
        total = settings.epochs * train.steps()
        with progress.bar("train", total, "batches") as bar:
            bar.advance(state.epoch * train.steps())
            while state.epoch < settings.epochs and not self._stalled():
                loss = self._train_epoch(train, bar)
                self._end_epoch(loss, self._validate(validation), bar)
        best = state.best
        if best is None:
            raise LossNotFinite(
                f"no epoch reached a finite '{settings.best}' on the validation set",
                cure="Lower the learning rate, or check the validation samples.",
            )
        model = self._plain().to("cpu").eval()
        model.load_state_dict(read_checkpoint(self._folder / "best.pt")["model"])
        return Fit(model, best, tuple(state.history))

    def _stalled(self) -> bool:
        patience = self._settings.patience
        return patience is not None and self.state.stale >= patience

    def _train_epoch(self, train: Batches, bar: Bar) -> float:
        """One pass; the mean loss."""
        self._model.train()
        # Dropout in an epoch depends on its number alone, so a resumed epoch draws what it would have drawn.
        torch.manual_seed(self._settings.seed * 1_000_003 + self.state.epoch + 1)
        total, count = 0.0, train.steps()
        self._optimiser.zero_grad(set_to_none=True)
        for number, batch in enumerate(train.epoch(self.state.epoch)):
            last = number + 1 == count
            step = last or (number + 1) % self._settings.accumulate == 0
            in_group = self._settings.accumulate
            if number >= count - count % self._settings.accumulate:
                in_group = count % self._settings.accumulate
            total += self._learn(batch, step=step, share=1 / in_group)
            bar.advance()
            bar.note(f"epoch {self.state.epoch + 1}/{self._settings.epochs} · loss {total / (number + 1):.3f}")
        return total / count

    def _learn(self, batch: Batch, *, step: bool, share: float) -> float:
        """Forward and backward of one batch, and a step of the optimiser if it is time; the loss."""
        here = self._mine(batch)
        hold: AbstractContextManager[Any] = torch.enable_grad()
        if not step:
            hold = self._accelerator.no_sync(self._model)
        with hold:
            with self._autocast():
                out = self._model(here["image"])
                loss = self._task.loss(out, here)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise LossNotFinite(
                    f"the loss is no longer a number in epoch {self.state.epoch + 1}",
                    found=value,
                    cure=f"Lower the learning rate, or look at these samples: {_names(batch)}.",
                )
            self._accelerator.backward(loss * share)
        if step:
            if self._settings.clip is not None:
                self._accelerator.clip_grad_norm_(self._model.parameters(), self._settings.clip)
            self._optimiser.step()
            self._optimiser.zero_grad(set_to_none=True)
            self._schedule.after_step()
            if self._average is not None:
                self._average.update(self._plain())
        return value

    def _mine(self, batch: Batch) -> dict[str, Any]:
        """This process's share of a global batch, on its device."""
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        device = self._accelerator.device

        def place(value: Any) -> Any:  # noqa: ANN401 - tensors, and lists that go with them
            if not isinstance(value, Tensor):
                return value[rank::world] if isinstance(value, list) else value
            return as_channels_last(value[rank::world].to(device))

        return {name: place(value) for name, value in batch.items()}

    def _validate(self, validation: Batches) -> dict[str, float]:
        """Loss and metrics with the weights that would be kept."""
        kept = self._average.model if self._average is not None else self._plain()
        kept.eval()
        meter, total = self._task.metrics(), 0.0
        device = self._accelerator.device
        with torch.inference_mode(), self._autocast():
            for batch in validation.epoch(0):
                here = {name: v.to(device) if isinstance(v, Tensor) else v for name, v in batch.items()}
                out = kept(here["image"])
                total += float(self._task.loss(out, here))
                meter.update(out, here)
        return {"loss": total / validation.steps(), **meter.compute()}

    def _end_epoch(self, loss: float, validation: dict[str, float], bar: Bar) -> None:
        """Compares, keeps and writes down an epoch."""
        state, settings = self.state, self._settings
        if settings.best not in validation:
            raise InvalidSetting(
                f"there is no validation figure '{settings.best}' to pick the best epoch by",
                expected=" or ".join(sorted(validation)),
                cure="Set 'best' to one of these.",
            )
        state.epoch += 1
        self._schedule.after_epoch(validation["loss"])
        epoch = Epoch(state.epoch, loss, self._optimiser.param_groups[0]["lr"], validation)
        state.history.append(epoch)
        better = self._better(epoch)
        state.stale = 0 if better else state.stale + 1
        if better:
            state.best = epoch
        bar.note(" · ".join([f"epoch {state.epoch}", *(f"{k} {v:.3f}" for k, v in validation.items())]))
        if self._accelerator.is_main_process:
            self._keep(epoch, better=better)
        self._accelerator.wait_for_everyone()

    def _better(self, epoch: Epoch) -> bool:
        value = epoch.validation[self._settings.best]
        if not math.isfinite(value):
            return False
        if self.state.best is None:
            return True
        before = self.state.best.validation[self._settings.best]
        return value < before if self._settings.best == "loss" else value > before

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
        write_checkpoint(self._folder / "checkpoint.pt", self._snapshot())

    def _snapshot(self) -> dict[str, Any]:
        state = self.state
        return {
            "model": self._plain().state_dict(),
            "average": self._average.model.state_dict() if self._average is not None else None,
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state(),
            "epoch": state.epoch,
            "stale": state.stale,
            "best": state.best.number if state.best else None,
            "history": [asdict(one) for one in state.history],
            "settings": self._settings.model_dump_json(),
        }

    def restore(self) -> None:
        """Goes on from the checkpoint in the folder, if there is one."""
        path = self._folder / "checkpoint.pt"
        if not path.exists():
            return
        kept = read_checkpoint(path)
        if kept["settings"] != self._settings.model_dump_json():
            raise InvalidSetting(
                f"the training in {self._folder} was started with other settings",
                cure="Give the same settings to go on, or choose another folder.",
            )
        self._plain().load_state_dict(kept["model"])
        if self._average is not None:
            self._average.model.load_state_dict(kept["average"])
        self._optimiser.load_state_dict(kept["optimiser"])
        self._schedule.restore(kept["schedule"])
        history = [Epoch(**one) for one in kept["history"]]
        best = next((one for one in history if one.number == kept["best"]), None)
        self.state = _State(epoch=kept["epoch"], stale=kept["stale"], best=best, history=history)

    def close(self) -> None:
        """Ends the logs."""
        if self._logs is not None:
            self._logs.close()


def _names(batch: Batch) -> str:
    names = list(dict.fromkeys(str(name) for name in batch.get("names", ())))
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "") if names else "those of this batch"
