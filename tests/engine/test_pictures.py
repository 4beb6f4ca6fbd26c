"""Example pictures of trainings in the event files that TensorBoard reads."""

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from arpent.engine import FitSettings, fit


class Pairs:
    """Two batches that never change."""

    def steps(self, number=0):
        return 2

    def epoch(self, number, start=0, stop=None, share=None):
        for index in range(start, 2 if stop is None else stop):
            image = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(index))
            yield {"image": image, "target": (image[:, 0] > image[:, 1]).long(), "names": ["a", "b"]}


def logged(task, folder):
    fit(task, Pairs(), Pairs(), FitSettings(epochs=2, best="loss", device="cpu"), folder)
    events = EventAccumulator(str(folder / "logs"))
    events.Reload()
    return events


def test_a_task_that_can_draw_is_drawn_once_per_epoch_on_the_first_batch(toy_task, tmp_path):
    seen = []

    class Drawing(type(toy_task(()))):
        def pictures(self, out, batch):
            seen.append((batch["image"][0, 0, 0, 0].item(), out.requires_grad))
            return {"masks": np.full((3, 8, 8), 40 * len(seen), np.uint8)}

    events = logged(Drawing(()), tmp_path / "drawn")
    assert [one.step for one in events.Images("validation/masks")] == [1, 2]
    first = next(Pairs().epoch(0))["image"][0, 0, 0, 0].item()
    assert seen == [(first, False)] * 2


def test_other_tasks_log_numbers_alone(toy_task, tmp_path):
    events = logged(toy_task(()), tmp_path / "plain")
    assert events.Tags()["images"] == []
    assert "validation/loss" in events.Tags()["scalars"]
