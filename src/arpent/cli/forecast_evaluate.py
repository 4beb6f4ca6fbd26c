"""``arpent forecast evaluate``: forecasts against what came true, and against saying that nothing changes."""

from __future__ import annotations

import typer

from arpent.cli.console import note, progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, ForecastData, Name, Output, Trained, place
from arpent.language import say
from arpent.tasks.forecast.evaluate_settings import EvaluateSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def evaluate(
    dataset: ForecastData,
    model: Trained,
    settings: EvaluateSettings,
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Judges forecasts, horizon by horizon and regime by regime, beside four baselines.

    A model that does not beat persistence is told so in plain words.
    """
    from arpent.tasks.forecast.evaluation import document_of
    from arpent.tasks.forecast.evaluation import evaluate as run_evaluation
    from arpent.tasks.forecast.evaluation_page import summary_heads, told_rows

    done = run_evaluation(dataset, model, place(output, name, force=force), settings, progress=progress())
    judged, language = done.judged, settings.language
    places = len({issue.place.name for issue in judged.issues})
    told = say(f"forecast_report.side_{done.side}", language)
    note(say("forecast_report.judged", language, count=len(judged.issues), places=places, side=told))
    document = {
        "run": done.run.path,
        "report": done.run.file("report"),
        "side": done.side,
        "words": done.words,
        **document_of(judged),
    }
    name_of = judged.watched.label(language)
    show(
        document,
        say("forecast_report.figure_of", language, name=name_of) + ", %",
        table(summary_heads(judged, language), told_rows(judged, language)),
        *done.words,
        *where_to_find([(say("word.report", language), document["report"])]),
    )
