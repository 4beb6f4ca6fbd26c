"""What processes that share a batch draw at random, and what they refuse; what they sum is tested in processes."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from arpent.core import BatchPart
from arpent.errors import InvalidSetting
from arpent.models import as_one

PARTS = (BatchPart(range(0, 5, 2), 5, 2), BatchPart(range(1, 5, 2), 5, 2))

DRAWS = {
    "numbers": lambda rows: functional.dropout(rows, 0.4),
    "in place": lambda rows: functional.dropout(rows.clone(), 0.4, inplace=True),
    "layer": nn.Dropout(0.4),
    "maps": lambda rows: functional.dropout2d(rows, 0.4),
    "channels last": lambda rows: functional.dropout(rows.contiguous(memory_format=torch.channels_last), 0.4),
    "chances": lambda rows: rows * torch.rand(rows.shape[0], 1, 1, 1),
    "chances of a list": lambda rows: rows * torch.rand([rows.shape[0], 1, 1, 1], dtype=rows.dtype),
    "chances like": lambda rows: rows * torch.rand_like(rows),
    "coins": lambda rows: rows * torch.bernoulli(torch.full_like(rows, 0.3)),
    "coins into": lambda rows: rows * rows.new_empty(rows.shape[0], 1, 1, 1).bernoulli_(0.5),
    "one for all": lambda rows: rows * torch.rand(()),
    "one for each map": lambda rows: rows * torch.rand(1, rows.shape[1], 1, 1),
    "two after each other": lambda rows: functional.dropout(functional.dropout(rows, 0.2), 0.3),
    "none": lambda rows: functional.dropout(rows, 0.4, training=False),
    "a generator of its own": lambda rows: rows + torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1)),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_each_process_has_what_one_would_draw_for_its_rows(draw):
    rows = torch.arange(5 * 3 * 4 * 4.0).view(5, 3, 4, 4) + 1
    torch.manual_seed(7)
    whole = draw(rows)
    found = torch.zeros_like(whole)
    for part in PARTS:
        torch.manual_seed(7)
        own = list(part.own)
        with as_one(part):
            found[own] = draw(rows[own])
    assert torch.equal(found, whole)


def test_what_is_dropped_has_no_slope():
    rows = torch.ones(3, 40, requires_grad=True)
    with as_one(PARTS[0]):
        kept = functional.dropout(rows, 0.5)
        kept.sum().backward()
    assert torch.equal(rows.grad, kept.detach())
    assert 0 < (kept == 0).sum() < kept.numel()


@pytest.mark.parametrize(
    "layer",
    [
        lambda rows: functional.scaled_dot_product_attention(rows, rows, rows, dropout_p=0.1),
        lambda rows: nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True)(rows, rows, rows),
        nn.LSTM(8, 4, 2, dropout=0.1),
        nn.GRU(8, 4, 2, dropout=0.1, batch_first=True),
    ],
    ids=["attention", "many heads", "lstm", "gru"],
)
def test_what_is_dropped_inside_a_layer_is_refused_in_one_line(layer):
    with as_one(PARTS[0]), pytest.raises(InvalidSetting, match=r"inside a layer.*0\.1"):
        layer(torch.ones(3, 5, 8))


@pytest.mark.parametrize("layer", [nn.LSTM(8, 4, 2, dropout=0.1), nn.LSTM(8, 4, 2), nn.MultiheadAttention(8, 2)])
def test_the_same_layers_are_let_through_where_they_drop_nothing(layer):
    rows = torch.ones(3, 5, 8)
    words = (rows,) if isinstance(layer, nn.LSTM) else (rows, rows, rows)
    layer.train(not getattr(layer, "dropout", 0))
    with as_one(PARTS[0]):
        assert layer(*words)[0].shape[:2] == (3, 5)


def test_attention_without_dropout_is_let_through():
    rows = torch.ones(3, 5, 8)
    with as_one(PARTS[0]):
        assert functional.scaled_dot_product_attention(rows, rows, rows).shape == rows.shape
