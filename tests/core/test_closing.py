"""What is open is closed, whatever happens."""

import pytest

from arpent.core import Closing


class Door(Closing):
    """Open until it is closed."""

    open = True

    def close(self) -> None:
        self.open = False


def test_it_closes_at_the_end_and_hides_no_error():
    with Door() as door:
        assert door.open
    assert not door.open
    other = Door()
    with pytest.raises(ValueError, match="storm"), other:
        raise ValueError("storm")
    assert not other.open
