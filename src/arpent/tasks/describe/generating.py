"""``describe generate``: texts about the parcels of images, held against the pixels before anybody reads them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arpent.core import Language, Progress, file_sha256
from arpent.core.bundle import bundle_header
from arpent.core.progress import Silent
from arpent.engine import Answer, ItemJob, ItemOptions, Opener, Product, Rows, fingerprint, hired, run_items
from arpent.errors import ArpentError, BundleInvalid, InvalidSetting, PartialFailure
from arpent.language import Measured, percent, say
from arpent.language.grammar import abstains, compose, text
from arpent.report.small_pictures import SmallPicture
from arpent.store import Place, Run, RunFolder, bundle_in, content_of
from arpent.tasks.describe.describer import Describer, Question, Reply
from arpent.tasks.describe.generate_settings import GenerateSettings
from arpent.tasks.describe.overview import Sighting, overview
from arpent.tasks.describe.products import Illustrations, publish_products
from arpent.tasks.describe.repairing import Draft, checked_text, finished_sentence
from arpent.tasks.describe.showing import Shown, show_images
from arpent.tasks.describe.table import measured_of
from arpent.tasks.describe.targets import MOST_REPAIRS
from arpent.tasks.describe.texts import TEXT_SCHEMA, TEXTS, Described, read_texts, texts_table
from arpent.tasks.describe.token_shelf import KeptTokens

__all__ = ["Generated", "Item", "Writer", "generate", "keep_notes", "publish_texts", "repair_rate"]

Tell = Callable[[str], None]
"""Is told pieces of text as they come."""


@dataclass(frozen=True)
class Item:
    """One text to be written.

    Attributes:
        measured: what is known of the parcel.
        image: name of the image.
        visual: (cells, width), or what numpy takes for that; None where nothing of the parcel is seen.
        language: of the text.
    """

    measured: Measured
    image: str
    visual: NDArray[np.floating] | KeptTokens | None
    language: Language


@dataclass(frozen=True)
class Generated:
    """A finished run, and what is to be said of it.

    Attributes:
        run: with the texts.
        described: all of them.
        repair_rate: see the function of that name; None where no sentence was to be repaired.
        failed: that share is too large for the run to count as a success.
    """

    run: Run
    described: Sequence[Described] = field(repr=False)
    repair_rate: float | None = None

    @property
    def failed(self) -> bool:
        """Too many sentences are the grammar's."""
        return self.repair_rate is not None and self.repair_rate > MOST_REPAIRS

    def check(self) -> None:
        """Refuses a run whose sentences are too often the grammar's.

        Raises:
            PartialFailure: too many are.
        """
        if self.repair_rate is not None and self.failed:
            raise PartialFailure(
                "the descriptions count as failed: too many sentences of the model had to be replaced",
                found=percent(self.repair_rate, "en"),
                expected=f"at most {percent(MOST_REPAIRS, 'en', 0)}",
                cure="Train the model longer, or on images more like these; the texts themselves are all supported.",
            )


def generate(
    images: Sequence[str],
    model: str | Path,
    place: Place,
    settings: GenerateSettings,
    *,
    parcels: str | Path | None = None,
    progress: Progress | None = None,
    stream: Tell | None = None,
) -> Generated:
    """Describes the parcels of images, and keeps texts, measurements and a page in a run folder.

    Args:
        images: anything that 'describe indices' reads.
        model: a describer's folder, or the run that has trained it.
        place: where the run goes.
        settings: how to describe.
        parcels: a vector file; whole images, or squares of them, if not given.
        progress: who is told how far it is.
        stream: is told each text as it is written, one at a time.

    Raises:
        FileMissing, UnreadableFile, BandMismatch …: an image or the parcels, where there is only one image.
        BundleInvalid, WeightsMissing, ContractMismatch: the model, or an encoder that it was not trained with.
        InvalidSetting: texts that others write are to be heard.
        Interrupted: by Ctrl-C; go on with a place that resumes.
    """
    batch_size = _side_by_side(settings, stream)
    # Where others have GPUs, this process needs none.
    here = settings.device if hired() is None or settings.device == "cpu" else "auto"
    describer = Describer.open(model, base=settings.base, device=here, weights=settings.weights, batch_size=batch_size)
    document = settings.document() | {"images": list(images), "model": str(model)}
    read = [*images, str(model), *([str(parcels)] if parcels else [])]
    with place.begin("describe-generate", Path(images[0]).stem, document, read, language=settings.language) as run:
        try:
            contents = _noted(run, images, parcels, model)
            with run.timed("images"):
                shown = show_images(images, settings, describer, parcels=parcels, folder=run.scratch, progress=progress)
        except ArpentError:
            run.abandon()  # nothing is written yet
            raise
        keep_notes(run, shown)
        writer, items = Writer(describer, settings, stream), list(_items(shown, settings))
        options = ItemOptions(
            batch_size=batch_size,
            fingerprint=fingerprint(content=contents, settings=document),
            title=run.name,
            unit="texts",
            progress=progress or Silent(),
            opener=_opener(model, settings, batch_size),
        )
        with run.timed("texts"):
            done = run_items(ItemJob(writer, items, run, options, schemas={"texts": TEXT_SCHEMA}))
        described = read_texts(run.path / TEXTS)
        rate = repair_rate(described)
        run.add_metrics(_metrics(described, rate, done.network_seconds))
        if rate is not None and rate > MOST_REPAIRS:
            run.warn(say("describe_run.failed", settings.language, share=rate))
        publish_texts(run, described, shown, settings, describer.encoder)
        return Generated(run.finish(), described, rate)


def _side_by_side(settings: GenerateSettings, stream: Tell | None) -> int:
    """How many texts are written at a time: one, if somebody listens, who must be in this process."""
    if stream is None:
        return settings.batch_size
    if hired() is not None:
        raise InvalidSetting("a text that is written elsewhere cannot be heard", cure="Leave out --stream.")
    return 1


def keep_notes(run: RunFolder, shown: Shown) -> None:
    """Keeps what people should know, and which images failed."""
    for note in shown.notes:
        run.warn(note)
    for name, error in shown.failed:
        run.add_failure(name, error)


def _noted(run: RunFolder, images: Sequence[str], parcels: str | Path | None, model: str | Path) -> list[str]:
    """Notes what is read; hashes of it."""
    records = [run.add_input(image) for image in images]
    if parcels is not None:
        records.append(run.add_input(parcels, "parcels"))
    header = bundle_header(bundle_in(model))
    sha256 = file_sha256(header)
    run.use_bundle(header, sha256)
    return [*map(content_of, records), sha256]


def _items(shown: Shown, settings: GenerateSettings) -> Iterator[Item]:
    """Each parcel of each image, in each language."""
    for entry in shown.parcels:
        for language in settings.languages:
            yield Item(entry.measured, entry.image, entry.visual, language)


def publish_texts(
    run: RunFolder, described: Sequence[Described], shown: Shown, settings: GenerateSettings, encoder: str
) -> None:
    """The texts with what they rest on: the table, the same as lines, the page, and a picture of where they are."""
    pictures: Mapping[tuple[str, str], SmallPicture] = shown.pictures
    rows = shown.table.to_pylist()
    places = (Sighting(measured_of(row), row.get("geometry")) for row in rows)
    seen = overview(places, run.scratch / "preview.png", settings.language)
    if seen is not None:
        run.publish(seen, kind="picture")
    publish_products(run, described, shown.table, extras=Illustrations(pictures, encoder), language=settings.language)


def _opener(model: str | Path, settings: GenerateSettings, batch_size: int) -> Opener | None:
    """How texts are written in another process; None where nobody else is to do it."""
    others = hired()
    if others is None:
        return None
    header = bundle_header(bundle_in(model))
    there = settings.model_copy(update={"device": others.device_for(settings.device).type})
    return partial(_open_writer, header, file_sha256(header), Path(model), there, batch_size)


def _open_writer(
    header: Path, sha256: str, model: Path, settings: GenerateSettings, batch_size: int, opened: ExitStack
) -> Writer:
    """A writer in a worker."""
    found = file_sha256(header)
    if found != sha256:
        raise BundleInvalid(f"another model lies at {model}", found=found, expected=sha256, cure="Give all the same.")
    describer = Describer.open(
        model, base=settings.base, device=settings.device, weights=settings.weights, batch_size=batch_size
    )
    return Writer(describer, settings)


class Writer:
    """Writes texts, batch by batch: an `engine.ItemWork`.

    Args:
        describer: writes the first version of each sentence.
        settings: how.
        stream: is told each text as it is written.
    """

    def __init__(self, describer: Describer, settings: GenerateSettings, stream: Tell | None = None) -> None:
        self._describer, self._settings, self._stream = describer, settings, stream
        self._profile = describer.facts.profile

    def products(self) -> Sequence[Product]:
        """One table."""
        return (Product("texts", "texts", kind="table", file=TEXTS),)

    def name(self, item: Item) -> str:
        """Parcel, image and language."""
        return f"{item.measured.parcel} ({item.image}, {item.language})"

    def prepare(self, item: Item) -> Item:
        """All is ready."""
        return item

    def alike(self, ready: Item) -> Hashable:
        """Any texts may be written side by side."""
        return None

    def answer(self, batch: Sequence[Item]) -> Answer:
        """A row for each text."""
        return {"texts": Rows(texts_table(self.described(batch)))}

    def described(self, batch: Sequence[Item]) -> list[Described]:
        """Texts about parcels, in their order. Where too little is seen the model is not asked."""
        asked = [item for item in batch if item.visual is not None and not abstains(item.measured)]
        replies = iter(self._replies(asked))
        drafts = {}
        for item in asked:
            reply = next(replies)
            drafts[id(item)] = (self._draft(item, reply), reply)
        if self._settings.mode == "grounded":
            self._mend([drafts[id(item)][0] for item in asked], asked)
        return [
            self._finished(item, *drafts[id(item)]) if id(item) in drafts else self._abstention(item) for item in batch
        ]

    def _replies(self, items: Sequence[Item]) -> list[Reply]:
        questions = [Question(self._request(item), item.visual) for item in items]
        hear = None if self._stream is None else _Streamed(self._describer, self._stream).hear
        replies = self._describer.ask(questions, longest=self._settings.longest, hear=hear)
        if self._stream is not None:
            self._stream("\n")
        return replies

    def _request(self, item: Item) -> str:
        told = item.measured if self._settings.mode == "grounded" else None
        return self._describer.request(item.language, told)

    def _draft(self, item: Item, reply: Reply) -> Draft:
        written = self._describer.text(reply)
        return Draft(written, item.measured, item.language, self._profile, reply.ended, self._settings.seed)

    def _mend(self, drafts: Sequence[Draft], items: Sequence[Item]) -> None:
        """Asks once more for the sentences that fail, all side by side; the grammar writes what fails again."""
        open_ones = [
            (draft, item, failing) for draft, item in zip(drafts, items, strict=True) for failing in draft.failing()
        ]
        questions = [Question(self._request(item), item.visual, begun=failing.before) for _, item, failing in open_ones]
        replies = self._describer.ask(
            questions,
            longest=self._settings.longest,
            warmth=self._settings.warmth,
            seed=self._settings.seed,
            enough=lambda words: finished_sentence(self._describer.speech.text(words)),
        )
        for (draft, _, failing), reply in zip(open_ones, replies, strict=True):
            draft.again(failing, self._describer.text(reply))
        for draft in drafts:
            draft.repair()

    def _finished(self, item: Item, draft: Draft, reply: Reply) -> Described:
        if self._settings.mode == "grounded":
            written, sentences = draft.finished()
        else:
            written = draft.text
            sentences = checked_text(written, item.measured, item.language, self._profile)
        return Described(
            **_key(item),
            mode=self._settings.mode,
            text=written,
            draft=draft.text,
            sentences=sentences,
            repairs=draft.repairs,
            regenerated=draft.regenerated,
            ended=reply.ended,
            tokens=len(reply.words),
        )

    def _abstention(self, item: Item) -> Described:
        """What is said where too little is seen."""
        written = text(compose(item.measured, item.language, seed=self._settings.seed, profile=self._profile))
        sentences = checked_text(written, item.measured, item.language, self._profile)
        return Described(
            **_key(item), mode=self._settings.mode, text=written, draft=written, sentences=sentences, abstained=True
        )


class _Streamed:
    """Tells an answer piece by piece; pieces of a letter wait for the rest of it."""

    def __init__(self, describer: Describer, tell: Tell) -> None:
        self._describer, self._tell = describer, tell
        self._words: list[int] = []
        self._told = 0

    def hear(self, row: int, word: int) -> None:
        """Takes a word; answers come one at a time."""
        self._words.append(word)
        written = self._describer.speech.text(self._words)
        if not written.endswith("\N{REPLACEMENT CHARACTER}"):
            self._tell(written[self._told :])
            self._told = len(written)


def repair_rate(described: Sequence[Described]) -> float | None:
    """Share of the sentences due in all grounded texts, abstentions apart, that had to be repaired."""
    counted = [one for one in described if one.mode == "grounded" and not one.abstained]
    sentences = sum(one.due for one in counted)
    return sum(one.repairs for one in counted) / max(sentences, 1) if counted else None


def _key(item: Item) -> dict[str, Any]:
    known = item.measured
    return {
        "parcel": known.parcel,
        "place": known.place,
        "image": item.image,
        "taken": known.taken,
        "language": item.language,
    }


def _metrics(described: Sequence[Described], rate: float | None, seconds: float) -> dict[str, float]:
    """Counts of a run."""
    tokens = sum(one.tokens for one in described)
    counts = {
        "texts": len(described),
        "abstained": sum(one.abstained for one in described),
        "run_on": sum(not one.ended for one in described),
        "tokens": tokens,
    }
    figures = {name: float(value) for name, value in counts.items()}
    if seconds > 0:
        figures["tokens_per_second"] = tokens / seconds
    if rate is not None:
        sentences = sum(one.due for one in described if not one.abstained)
        again = sum(one.regenerated for one in described)
        figures |= {"repair_rate": rate, "asked_again": again / max(sentences, 1), "failed": float(rate > MOST_REPAIRS)}
    return figures
