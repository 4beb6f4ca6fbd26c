"""How commands that train tell their figures."""

from arpent.cli.trainings import figure_lines


def test_what_is_counted_has_no_decimals_and_what_is_measured_keeps_them():
    figures = {"validation/iou": 1.0, "epoch": 1.0, "epochs": 5, "parameters/total": 27660.0, "validation/loss": 0.25}
    told = [line.split() for line in figure_lines(figures, "en")]
    assert [figure for _, figure in told] == ["1.0000", "1", "5", "27,660", "0.2500"]
    assert len({line.index(figure) for line, (_, figure) in zip(figure_lines(figures, "en"), told, strict=True)}) == 1
