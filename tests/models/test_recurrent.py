"""The network that carries a series on: what it answers, what it may not do, and that it can learn."""

import pytest
import torch

from arpent.core import Band, Contract
from arpent.errors import BundleInvalid, InvalidSetting
from arpent.models import Forecaster, ForecasterSettings, ForecastHead, build, load_bundle, save_bundle

SMALL = {"classes": 2, "network": {"widths": [4, 8, 8]}, "hidden": 8, "width": 4, "cell": 8}
HEADS = ("lstm", "convlstm", "simvp")


def made(**changes):
    torch.manual_seed(0)
    network = build("forecaster", {**SMALL, **changes}).eval()
    assert isinstance(network, Forecaster)
    return network


def days(batch=2, dates=6, step=6.0):
    return (torch.arange(dates) * step).expand(batch, -1)


@pytest.mark.parametrize("head", HEADS)
def test_every_head_answers_for_every_coming_date(head):
    # One of them with an encoder made for photographs.
    encoder = {"architecture": "smp-unet", "network": {"encoder": "resnet18"}} if head == "lstm" else {}
    network = made(head=head, future=2, **encoder)
    forecast = network(torch.randn(2, 3, 2, 64, 32), days(dates=5))
    assert forecast.masks.shape == (2, 2, 2, 64, 32)
    assert forecast.now.shape == (2, 2, 64, 32)
    assert bool(torch.isfinite(forecast.masks).all())


@pytest.mark.parametrize("head", HEADS)
def test_a_core_that_answers_zero_gives_the_last_date(head):
    network = made(head=head)
    with torch.no_grad():
        for tensor in network.head.core.parameters():
            tensor.zero_()
    frames = torch.randn(1, 3, 2, 32, 32)
    forecast = network(frames, days(1))
    assert torch.equal(forecast.masks.argmax(2), forecast.now.argmax(1).expand(3, -1, -1)[None])
    assert not torch.equal(made(head=head)(frames, days(1)).masks[:, 0], forecast.masks[:, 0])


def test_dates_may_come_in_the_channels():
    network, frames = made(), torch.randn(2, 3, 2, 16, 16)
    assert torch.equal(network(frames, days()).masks, network(frames.flatten(1, 2), days()).masks)


def test_the_days_between_dates_count_and_the_day_they_begin_with_does_not():
    network, frames = made(), torch.randn(1, 3, 2, 16, 16)
    plain = network(frames, days(1)).masks
    assert torch.allclose(network(frames, days(1) + 60).masks, plain, atol=1e-6)
    assert not torch.allclose(network(frames, days(1, step=12.0)).masks, plain, atol=1e-6)


def test_covariates_are_told_and_may_be_missing():
    network, frames = made(covariates=["rain"]), torch.randn(1, 3, 2, 16, 16)
    told = torch.stack((days(1), torch.tensor([[0.0, 0, 9, torch.nan, torch.nan, torch.nan]])), 2)
    forecast = network(frames, told)
    assert bool(torch.isfinite(forecast.masks).all())
    other = told.clone()
    other[0, 2, 1] = 0.0
    assert not torch.equal(network(frames, other).masks, forecast.masks)
    with pytest.raises(InvalidSetting, match="rain"):
        network(frames, days(1))


def test_the_answer_moves_with_the_image_by_whole_cells():
    network = made()
    image = torch.randn(1, 3, 2, 160, 160)
    whole, part = (network(one, days(1)).masks for one in (image, image[..., 16:, 16:]))
    assert torch.allclose(whole[..., 80:96, 80:96], part[..., 64:80, 64:80], atol=1e-5)


@pytest.mark.parametrize(("changes", "match"), [({"cell": 6}, "multiple of 4"), ({"ahead": ["rain"]}, "no covariate")])
def test_settings_that_do_not_fit_are_refused(changes, match):
    with pytest.raises(InvalidSetting, match=match):
        made(**({"cell": 8} | changes))


def test_a_bundle_gives_the_same_answers(tmp_path):
    network, frames = made(covariates=["level"]), torch.randn(1, 3, 2, 16, 16)
    network.head.temperatures.fill_(2.0)
    network.head.beliefs.fill_(0.4)
    network.head.covariate_mean.fill_(3.0)
    told = torch.stack((days(1), torch.ones(1, 6)), 2)
    contract = Contract(
        task="forecast",
        architecture="forecaster",
        settings=network.settings.model_dump(mode="json"),
        bands=(Band(name="vv"), Band(name="vh")),
        arpent="0",
    )
    save_bundle(tmp_path / "m.safetensors", network, contract)
    read = load_bundle(tmp_path / "m.safetensors")
    assert ForecasterSettings(**read.contract.settings) == network.settings
    assert torch.equal(read.model(frames, told).masks, network(frames, told).masks)


def test_a_network_of_an_earlier_make_is_refused_in_a_line(tmp_path):
    """Of bundles that were written before masks of today were sharpened."""
    network = made()
    del network.head.sharpen
    contract = Contract(
        task="forecast",
        architecture="forecaster",
        settings=network.settings.model_dump(mode="json"),
        bands=(Band(name="vv"), Band(name="vh")),
        arpent="0",
    )
    path = save_bundle(tmp_path / "old.safetensors", network, contract)
    with pytest.raises(BundleInvalid, match="an earlier make") as error:
        load_bundle(path)
    assert "Train it anew" in str(error.value)


def test_it_learns_that_a_shore_moves_by_as_much_as_it_moved():
    """Water as far as a line that moves at a speed of its own: what no last date alone tells."""
    torch.manual_seed(1)
    network = build("forecaster", {**SMALL, "hidden": 16}).train()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)

    def draw(count):
        first, speed = torch.randint(20, 44, (count,)), torch.randint(-3, 4, (count,)) * 2
        shore = first[:, None] + speed[:, None] * torch.arange(6)
        water = (torch.arange(64)[None, None] < shore[..., None]).long()[:, :, None].expand(-1, -1, 16, -1)
        frames = torch.stack((water * 2.0 - 1, torch.zeros_like(water)), 2).float()[:, :3]
        return frames, water[:, 3:], water[:, 2]

    for _ in range(100):
        frames, coming, last = draw(8)
        out = network(frames, days(8))
        loss = torch.nn.functional.cross_entropy(out.masks.flatten(0, 1), coming.flatten(0, 1))
        loss = loss + torch.nn.functional.cross_entropy(out.now, last)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    frames, coming, last = draw(64)
    wrong = (network(frames, days(64)).masks.argmax(2) != coming).float().mean()
    stayed = (last[:, None] != coming).float().mean()
    assert wrong < 0.6 * stayed


def test_todays_mask_is_sharpened_by_what_all_dates_show():
    """Pixels of chance that stay as they are, under noise: one date tells 75 % of them, and three tell 88 %."""
    torch.manual_seed(2)
    head = ForecastHead(ForecasterSettings(**{**SMALL, "channels": 1, "width": 8}), features=4).train()
    optimiser = torch.optim.Adam(head.parameters(), 2e-2)
    blind, nothing = torch.zeros(4, 3, 2, 32, 32), torch.zeros(4, 3, 4, 4, 4)

    def draw():
        truth = torch.randint(0, 2, (4, 32, 32))
        return truth, truth[:, None, None] * 2 - 1 + 1.5 * torch.randn(4, 3, 1, 32, 32)

    assert not head(blind, draw()[1], nothing, days(4)).now.diff(dim=1).any()
    for _ in range(60):
        truth, frames = draw()
        loss = torch.nn.functional.cross_entropy(head(blind, frames, nothing, days(4)).now, truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    truth, frames = draw()
    found = head(blind, frames, nothing, days(4)).now.argmax(1)
    assert float((found == truth).float().mean()) > 0.82


def test_changes_are_believed_as_far_as_is_said():
    network, frames = made(), torch.randn(1, 3, 2, 16, 16)
    whole = network(frames, days(1))
    network.head.beliefs.copy_(torch.tensor([0.0, 0.5, 1.0]))
    said = network(frames, days(1))
    assert torch.equal(said.now, whole.now)
    assert torch.allclose(said.masks[:, 0], said.kept)
    assert torch.allclose(said.masks[:, 1], (whole.kept + whole.masks[:, 1]) / 2, atol=1e-5)
    assert torch.equal(said.masks[:, 2], whole.masks[:, 2])
    assert (whole.masks - whole.kept.unsqueeze(1)).abs().max() > 1e-3


def test_a_gate_that_would_shut_lets_through_what_is_to_be_learnt():
    """A seed of three once shut it early in training, and then stayed with today's mask."""
    torch.manual_seed(0)
    head = ForecastHead(ForecasterSettings(**SMALL), features=4)
    with torch.no_grad():
        head.response.gate.bias.fill_(-1e3)
    out = head(torch.randn(1, 3, 2, 32, 32), torch.randn(1, 3, 2, 32, 32), torch.randn(1, 3, 4, 4, 4), days(1))
    out.masks.square().sum().backward()
    assert head.response.residual.weight.grad.abs().max() > 1e-6
