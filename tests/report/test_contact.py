"""Contact sheets."""

import numpy as np
import pytest
from PIL import Image

from arpent.errors import InvalidSetting
from arpent.report.contact import Contact, ContactRow, contact_sheet


def sheet(path, count, outlined=None):
    tones = [np.full((30, 60, 3), 10 * number, np.uint8) for number in range(count)]
    row = ContactRow("valley", [Contact(rgb, f"date {n}", "+6 d", outlined) for n, rgb in enumerate(tones)])
    return contact_sheet([row, row], path, title="Dates", note="in grey")


@pytest.mark.parametrize("count", [1, 4, 5, 7, 18, 22])
def test_sheets_keep_the_shape_of_their_pictures(tmp_path, count):
    with Image.open(sheet(tmp_path / "a.png", count)) as made:
        assert made.width == 1500
        lines = {1: 1, 4: 1, 5: 1, 7: 1, 18: 3, 22: 4}[count]
        assert made.height == pytest.approx(2 * lines * 150, abs=520)


def test_tall_pictures_are_drawn_narrow_and_not_the_sheet_tall(tmp_path):
    """The strip of an orbit, a hundred times as high as wide, would else make a sheet of 100 million pixels."""
    row = ContactRow("orbit", [Contact(np.zeros((400, 4, 3), np.uint8), "a date")] * 4)
    with Image.open(contact_sheet([row, row], tmp_path / "a.png", title="Dates")) as made:
        assert made.height < 3 * made.width


def test_equal_dates_give_equal_bytes_and_outlines_show(tmp_path):
    inside = np.zeros((30, 60), bool)
    inside[10:20, 20:40] = True
    plain = sheet(tmp_path / "a.png", 4).read_bytes()
    assert plain == sheet(tmp_path / "b.png", 4).read_bytes()
    assert plain != sheet(tmp_path / "c.png", 4, inside).read_bytes()


@pytest.mark.parametrize("rows", [[], [ContactRow("empty", [])]])
def test_a_sheet_of_nothing(tmp_path, rows):
    with pytest.raises(InvalidSetting, match="no picture to show"):
        contact_sheet(rows, tmp_path / "a.png", title="x")
