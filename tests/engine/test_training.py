import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch

from arpent.engine import FitSettings, OptimiserSettings, Start, Tuning, fit, read_checkpoint, write_checkpoint
from arpent.errors import EmptySplit, Interrupted, InvalidSetting, LossNotFinite, RunDamaged, RunExists, UnknownName


class Dots:
    """A data set that a 1 × 1 convolution can learn: which of the two bands is larger, or neither by much."""

    def __init__(self, count=6, size=4, poison=None):
        self.count, self.size, self.poison = count, size, poison

    def steps(self, number=0):
        return self.count

    def epoch(self, number, start=0, stop=None, share=None):
        for index in range(start, self.count if stop is None else stop):
            generator = torch.Generator().manual_seed(1000 * number + index)
            image = torch.randn(self.size, 2, 8, 8, generator=generator)
            gap = image[:, 0] - image[:, 1]
            target = torch.where(gap > 0.5, 0, torch.where(gap < -0.5, 1, 2))
            if self.poison == (number, index):
                image[0, 0, 0, 0] = float("nan")
            yield {"image": image, "target": target, "names": [f"sample {index}.{i}" for i in range(self.size)]}


class WithDropout(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(2, 8, 1), torch.nn.BatchNorm2d(8), torch.nn.Dropout(0.3), torch.nn.Conv2d(8, 3, 1)
        )

    def forward(self, image):
        return self.layers(image)


def settings(**changes):
    return FitSettings(**{"epochs": 4, "best": "accuracy", "device": "cpu", **changes})


@pytest.fixture
def train(toy_task, tmp_path):
    def run(name="run", model=None, data=None, resume=False, tuning=None, **changes):
        torch.manual_seed(1)
        model = WithDropout() if model is None else model
        return fit(
            toy_task(()),
            data or Dots(),
            Dots(2),
            settings(**changes),
            tmp_path / name,
            start=Start(model, tuning),
            resume=resume,
        )

    return run


def weights(fitted):
    return {name: tensor.clone() for name, tensor in fitted.model.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_and_keeps_the_best_epoch(train, tmp_path):
    done = train(epochs=8, optimiser=OptimiserSettings(rate=0.05))
    figures = [epoch.validation["accuracy"] for epoch in done.history]
    assert done.best.validation["accuracy"] == max(figures) > 0.8
    assert same(weights(done), read_checkpoint(tmp_path / "run" / "best.pt")["model"])
    lines = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == list(range(1, 9))
    assert list((tmp_path / "run" / "logs").glob("events.out.tfevents.*"))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(train):
    first, again, other = train("a"), train("b"), train("c", seed=1)
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


@pytest.mark.parametrize("changes", [{}, {"average": 0.9}, {"accumulate": 4}, {"best": "loss"}])
def test_a_training_stopped_and_resumed_ends_in_the_same_weights(train, changes, monkeypatch):
    whole = train("whole", **changes)

    class StopsInThirdEpoch(Dots):
        def epoch(self, number, *where, **share):
            for index, batch in enumerate(super().epoch(number, *where, **share)):
                if (number, index) == (2, 3):
                    raise KeyboardInterrupt
                yield batch

    with pytest.raises(Interrupted, match=r"epoch 3 of 4.*--resume"):
        train("parts", data=StopsInThirdEpoch(), **changes)
    resumed = train("parts", resume=True, **changes)
    assert same(weights(whole), weights(resumed))
    assert [e.train_loss for e in whole.history] == [e.train_loss for e in resumed.history]


def test_accumulated_small_batches_teach_what_one_large_batch_teaches(train):
    """Without batch norm and dropout, whose results depend on the batch."""

    class Halves(Dots):
        def epoch(self, number, *where, **share):
            for batch in super().epoch(number, *where, **share):
                half = self.size // 2
                yield {name: value[:half] for name, value in batch.items()}
                yield {name: value[half:] for name, value in batch.items()}

        def steps(self, number=0):
            return 2 * self.count

    def plain():
        torch.manual_seed(3)
        return torch.nn.Conv2d(2, 3, 1)

    large = train("large", model=plain())
    small = train("small", model=plain(), data=Halves(), accumulate=2)
    for name, tensor in weights(large).items():
        torch.testing.assert_close(tensor, weights(small)[name], rtol=1e-4, atol=1e-5)


def test_a_loss_that_is_no_number_stops_and_names_the_samples(train):
    with pytest.raises(LossNotFinite, match=r"epoch 2.*sample 3\.0"):
        train(data=Dots(poison=(1, 3)))


def test_patience_ends_a_training_that_no_longer_improves(train):
    done = train(epochs=30, patience=2, optimiser=OptimiserSettings(rate=1e-12, schedule="constant"), best="accuracy")
    assert len(done.history) < 30


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle", "plateau"])
@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_every_optimiser_and_schedule_lowers_the_loss(train, schedule, name):
    done = train(optimiser=OptimiserSettings(name=name, schedule=schedule, rate=0.02), epochs=5)
    assert done.history[-1].train_loss < done.history[0].train_loss


@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_shorter_numbers_train_too(train, precision):
    done = train(precision=precision, optimiser=OptimiserSettings(rate=0.05), epochs=6)
    assert done.best.validation["accuracy"] > 0.7


def test_a_frozen_part_stays_as_it_was(train):
    model = WithDropout()
    model.layers[0].requires_grad_(False)
    before = model.layers[0].weight.clone()
    done = train(model=model)
    assert torch.equal(done.model.layers[0].weight, before)
    assert not torch.equal(done.model.layers[3].weight, WithDropout().layers[3].weight)


def layers_moved(before, done):
    """Which tensors of the small network are not bit for bit as they were."""
    after = weights(done)
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("changes", [{}, {"average": 0.9}, {"optimiser": OptimiserSettings(name="sgd", rate=0.05)}])
def test_what_a_tuning_freezes_stays_whole_statistics_included(train, changes):
    model = WithDropout()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tuning = Tuning({"layers.0": 0, "layers.1": 0})
    done = train(model=model, tuning=tuning, **changes)
    assert layers_moved(before, done) == {"layers.3.weight", "layers.3.bias"}
    torch.manual_seed(1)
    again = train("free", model=WithDropout(), **changes)
    assert {"layers.1.running_var", "layers.1.num_batches_tracked"} <= layers_moved(before, again)


def test_parts_move_at_their_own_rates(train):
    """The first steps of AdamW are as long as its learning rate, whatever the gradient."""
    optimiser = OptimiserSettings(rate=1e-3, schedule="constant", weight_decay=0)
    model = WithDropout()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tuning = Tuning({"layers": 0.1, "layers.3": 1.0})

    class One(Dots):
        def __init__(self):
            super().__init__(count=1)

    done = train(model=model, tuning=tuning, data=One(), epochs=1, optimiser=optimiser)
    steps = {name: float((tensor - before[name]).abs().max()) for name, tensor in weights(done).items()}
    assert steps["layers.3.weight"] == pytest.approx(1e-3, rel=0.01)
    assert steps["layers.0.weight"] == pytest.approx(1e-4, rel=0.01)
    assert done.history[0].rate == pytest.approx(1e-3)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_tuned_training_goes_on_as_it_would_have(train, average):
    tuning = Tuning({"layers.0": 0, "layers.1": 0.1})

    class Stops(Dots):
        def epoch(self, number, *where, **share):
            if number == 2:
                raise KeyboardInterrupt
            yield from super().epoch(number, *where, **share)

    whole = train("whole", tuning=tuning, average=average)
    with pytest.raises(Interrupted):
        train("parts", tuning=tuning, data=Stops(), average=average)
    with pytest.raises(InvalidSetting, match="other settings"):
        train("parts", resume=True, average=average)
    assert same(weights(whole), weights(train("parts", tuning=tuning, resume=True, average=average)))


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ({"layer": 0}, r"found layer; expected layers"),
        ({"layers": 0}, "all of the network is frozen"),
        ({"layers.0": -1}, "below zero"),
    ],
)
def test_a_tuning_that_cannot_be_is_refused(train, factors, words):
    with pytest.raises(InvalidSetting, match=words):
        train(tuning=Tuning(factors))


def test_wrong_uses_are_told_the_cure(train, toy_task, tmp_path):
    train("twice")
    with pytest.raises(RunExists, match="--resume"):
        train("twice")
    with pytest.raises(InvalidSetting, match="other settings"):
        train("twice", resume=True, seed=9)
    with pytest.raises(UnknownName, match=r"fit.best'\) is called 'acuracy'. Did you mean 'accuracy'\? Known: .*loss"):
        train("figure", best="acuracy")
    assert not (tmp_path / "figure").exists()
    with pytest.raises(EmptySplit, match="no validation sample"):
        fit(toy_task(()), Dots(), Dots(0), settings(), tmp_path / "empty")


def test_a_damaged_checkpoint_is_refused_and_no_code_in_it_runs(tmp_path):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"epoch": 3})
    assert read_checkpoint(path) == {"epoch": 3}
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunDamaged, match="start the training again"):
        read_checkpoint(path)

    path.write_bytes(b"J")  # pickle's word for a number, which is missing
    with pytest.raises(RunDamaged, match="start the training again"):
        read_checkpoint(path)

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    torch.save({"format": 1, "x": Trap()}, path)
    with pytest.raises(RunDamaged):
        read_checkpoint(path)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.slow
def test_killed_without_warning_and_resumed_it_ends_in_the_same_weights(train, tmp_path):
    whole = train("whole", epochs=6)
    script = textwrap.dedent(
        f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import torch, test_training
        from arpent.engine import Start
        from conftest import ToyTask
        from pathlib import Path

        class Slow(test_training.Dots):
            def epoch(self, number, *where, **share):
                for batch in super().epoch(number, *where, **share):
                    time.sleep(0.02)
                    yield batch

        torch.manual_seed(1)
        folder = Path({str(tmp_path / "killed")!r})
        model = Start(test_training.WithDropout())
        settings = test_training.settings(epochs=6)
        test_training.fit(ToyTask(()), Slow(), test_training.Dots(2), settings, folder, start=model)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", script])
    history = tmp_path / "killed" / "history.jsonl"
    for _ in range(2000):
        if history.exists() and len(history.read_text().splitlines()) >= 2:
            break
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    resumed = train("killed", epochs=6, resume=True)
    assert len(resumed.history) == 6
    assert same(weights(whole), weights(resumed))
