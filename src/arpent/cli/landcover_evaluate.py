"""``arpent landcover evaluate``: a model against images whose truth is known."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from arpent.cli.console import note, progress, show, table, where_to_find
from arpent.cli.options import with_settings
from arpent.cli.places import Force, Name, Output, Trained, place
from arpent.language import percent, say
from arpent.tasks.landcover.evaluate_settings import EvaluateSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
@with_settings
def evaluate(
    model: Trained,
    data: Annotated[str, typer.Option("--data", help="CSV or Parquet table of images and masks, or a folder of both.")],
    settings: EvaluateSettings,
    output: Output = None,
    name: Name = None,
    force: Force = False,
) -> None:
    """Scores a model on images with masks: by class and by domain, with intervals, areas and a page.

    Means over classes come in both ways of counting a class that the truth lacks: left out, and as zero.
    """
    from arpent.tasks.landcover.evaluation import evaluate as run_evaluation
    from arpent.tasks.landcover.evaluation_page import summary_heads, summary_rows
    from arpent.tasks.landcover.judged import document_of

    done = run_evaluation(model, data, place(output, name, force=force), settings, progress=progress())
    judged, language = done.judged, settings.language
    count = len((judged.found.domains if judged.drawn == "domains" else judged.found.blocks).by_domain)
    note(say(f"evaluate.over_{judged.drawn}", language, count=count))
    iou = zip(judged.classes.labels(language), judged.excluded.iou_by_class, strict=True)
    classes = [[label, percent(float(value), language)] for label, value in iou if math.isfinite(value)]
    document = {
        "run": done.run.path,
        "report": done.run.file("report"),
        **{key: value for key, value in document_of(judged).items() if key != "confusion"},
    }
    show(
        document,
        table(summary_heads(language), summary_rows(judged, language)),
        table([say("word.class", language), say("metric.iou", language)], classes),
        *where_to_find([(say("word.report", language), document["report"])]),
    )
