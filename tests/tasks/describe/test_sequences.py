"""Prompts and answers: one builder, the loss on the answer and its end alone, both languages."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arpent.data import Share
from arpent.errors import ContractMismatch, DatasetError, FileMissing, InvalidSetting, UnreadableFile, WeightsMissing
from arpent.language import Measured
from arpent.models.describer_settings import SmallModelSettings
from arpent.models.language_model import (
    END,
    Speech,
    check_speech,
    open_language_model,
    read_speech,
    small_language_model,
    train_tokenizer,
)
from arpent.tasks.describe.coding import Code
from arpent.tasks.describe.examples import read_captions, read_visual
from arpent.tasks.describe.invented import invented
from arpent.tasks.describe.lessons import Lesson, Lessons
from arpent.tasks.describe.number_words import number_words, settle_numbers
from arpent.tasks.describe.sequences import dialogue, facts_of, left_padded, request_of, right_padded
from arpent.tasks.describe.speaking_task import answer_loss

MEASURED = Measured(
    "a",
    {"NDVI": 0.524, "NDMI": -0.11, "EVI2": 0.31, "BSI": -0.12, "NDRE": 0.33},
    {"soil": 0.04, "vegetation": 0.93},
    taken=dt.date(2022, 6, 1),
    crop="maize",
)


@pytest.fixture(scope="module")
def speech() -> Speech:
    texts = [request_of(one, cells=0, facts=facts_of(MEASURED, one)) for one in ("fr", "en")]
    return train_tokenizer([*texts, "Vigueur modérée, NDVI de 0,52.", "Moderate vigour."] * 4, 400)


def test_facts_are_told_as_people_of_the_language_write_them() -> None:
    french, english = facts_of(MEASURED, "fr"), facts_of(MEASURED, "en")
    for words in ("NDVI 0,52 moderate", "NDMI −0,11 dry", "sol nu 4", "culture maize", "1er juin 2022"):
        assert words in french
    for words in ("NDVI 0.52 moderate", "bare soil 4%", "vegetation 93%", "1 June 2022"):
        assert words in english
    assert facts_of(Measured("b", {"NDVI": float("nan")}), "en") == ""
    lake = Measured("l", {"NDMI": 0.43}, {"water": 0.9})
    assert facts_of(lake, "en").startswith("NDMI 0.43 ;"), "a number without a class is told as a number"
    assert "NBR" in facts_of(invented(np.random.default_rng(0)), "en", "xvision") or "NDWI" in facts_of(
        invented(np.random.default_rng(0)), "en", "xvision"
    )


def test_requests_keep_places_for_each_image() -> None:
    asked = request_of("fr", cells=25, images=2, facts="NDVI 0,52", notes="[1] voisin.")
    assert asked.count("<|image_pad|>") == 50
    assert asked.endswith("Mesuré : NDVI 0,52. [1] voisin.")
    assert request_of("en", cells=4) != request_of("en", cells=4, listed=True)


def test_words_come_back_and_digits_stand_alone(speech: Speech) -> None:
    assert speech.pad != speech.end
    assert len(set(speech.digits)) == 10
    words = speech.words("0,52 et 1234")
    assert sum(word in speech.digits for word in words) == 7
    assert speech.text([*words, speech.end, speech.pad]) == "0,52 et 1234"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=40)
def test_any_text_survives_the_tokenizer(speech: Speech, words: str) -> None:
    if "<|" not in words:
        assert speech.text(speech.words(words)) == words


def test_only_the_answer_and_its_end_are_learnt(speech: Speech) -> None:
    long = dialogue(speech, request_of("fr", cells=4, facts=facts_of(MEASURED, "fr")), "Vigueur modérée.")
    short = dialogue(speech, request_of("en", cells=4), "Moderate vigour, NDVI de 0,52.")
    assert long.answer[-1] == speech.end
    rows = right_padded([long, short], speech.pad)
    assert rows.target.tolist() == [*long.answer, *short.answer]
    following = torch.roll(rows.words, -1, dims=1)
    assert torch.equal(following[rows.spoken], rows.target)
    for number, one in enumerate((long, short)):
        assert int(rows.attended[number].sum()) == len(one.prompt) + len(one.answer)
        assert not rows.spoken[number, : len(one.prompt) - 1].any()
    assert (rows.words[~rows.attended] == speech.pad).all()
    assert END not in speech.tokenizer.decode(rows.words[rows.spoken][: len(long.answer)])


def test_a_prompt_is_the_same_in_training_and_in_generation(speech: Speech) -> None:
    asked = request_of("fr", cells=4)
    trained = dialogue(speech, asked, "Vigueur modérée.").prompt
    words, attended = left_padded([speech.prompt(asked), speech.prompt(asked + " Et encore")], speech.pad)
    assert tuple(words[0][attended[0]].tolist()) == trained
    assert attended[:, -1].all()


def test_the_loss_is_a_mean_over_answers_whatever_their_length() -> None:
    scores, target = torch.randn(7, 5), torch.tensor([0, 1, 2, 3, 4, 0, 1])
    spoken = torch.tensor([[True] * 5 + [False], [True] * 2 + [False] * 4])
    errors = torch.nn.functional.cross_entropy(scores, target, reduction="none")
    expected = (errors[:5].mean() + errors[5:].mean()) / 2
    assert answer_loss(scores, target, spoken) == pytest.approx(float(expected))
    counted = torch.tensor([1.0, 1, 1, 1, 1, 0, 1])
    assert answer_loss(scores, target, spoken, counted) == pytest.approx(float((errors[:5].mean() + errors[6]) / 2))


def test_what_is_shown_in_lessons_is_what_an_adapter_that_makes_no_error_writes() -> None:
    code = Code.of(16, 0.02)
    written = code.vectors(torch.from_numpy(code.numbers(MEASURED)), 11)
    assert np.allclose(code.shown(MEASURED, 11, np.random.default_rng(0), by=0.0), written.numpy(), atol=1e-6)
    assert not np.allclose(code.shown(MEASURED, 11, np.random.default_rng(0)), written.numpy(), atol=1e-3)


def lessons(speech: Speech, batch_size: int = 4) -> Lessons:
    def make(epoch: int, place: int) -> Lesson:
        rng = np.random.default_rng((epoch, place))
        return Lesson(
            f"{place}", dialogue(speech, "Q", f"{rng.integers(100)}"), rng.random((4, 3)), np.zeros(2, np.float32)
        )

    return Lessons(10, make, batch_size=batch_size, pad=speech.pad)


def test_batches_depend_on_epoch_and_place_alone(speech: Speech) -> None:
    one = lessons(speech)
    assert one.steps() == 3
    whole, later = list(one.epoch(2)), list(one.epoch(2, start=1, stop=2))
    assert len(whole) == 3
    assert len(later) == 1
    assert torch.equal(whole[1]["image"], later[0]["image"])
    assert not torch.equal(whole[0]["image"], next(one.epoch(3))["image"])
    assert whole[2]["names"] == ["8", "9"]


def test_processes_share_a_batch(speech: Speech) -> None:
    parts = [next(lessons(speech).epoch(0, share=Share(rank, 2))) for rank in range(2)]
    assert sorted(name for part in parts for name in part["names"]) == ["0", "1", "2", "3"]
    whole = next(lessons(speech).epoch(0))["words"]
    assert all(torch.equal(part["words"], whole[rank::2]) for rank, part in enumerate(parts))
    with pytest.raises(InvalidSetting, match="shared out"):
        next(lessons(speech, 2).epoch(0, share=Share(0, 3)))


def test_numbers_written_in_the_code_are_read_back() -> None:
    code = Code.of(64, 0.1)
    numbers = torch.from_numpy(code.numbers(MEASURED))[None]
    assert torch.isnan(numbers[0, len(code.indices) + 2])  # no share of water is known
    vectors = code.vectors(numbers, 25)
    assert vectors.shape == (1, 25, 64)
    assert torch.equal(vectors[:, 0], vectors[:, len(code.names)])  # over and over
    known = numbers.nan_to_num(0.1)
    whole = code.vectors(known, 25)
    assert code.error(whole, known) == pytest.approx(0, abs=1e-6)
    assert code.error(whole + 0.5, known) > 1
    assert code.error(whole + 0.5, numbers) == 0  # what is not known teaches nothing
    assert code.error(whole + 5, known) < 12 * code.error(whole + 0.5, known)  # a blind parcel does not decide for all
    # Each number moves every cell along its own direction, and its own cells further.
    moved = code.vectors(known + torch.eye(len(code.names))[0] * 0.1, 25) - whole
    assert (moved.norm(dim=-1) > 0).all()
    assert moved[0, 0].norm() > moved[0, 1].norm()
    shown = torch.from_numpy(code.shown(MEASURED, 25, np.random.default_rng(0)))[None]
    assert torch.isfinite(shown).all()
    assert 0 < (shown - vectors).abs().mean() < 0.1


def test_numbers_are_words_that_lie_where_the_code_has_them() -> None:
    """They are written in one go, come back to the letter, and the likeliest word for a place is the nearest number."""
    known = number_words()
    assert {"0,43", "−0.07", "100%", "12\N{NARROW NO-BREAK SPACE}%"} <= set(known)
    speech = train_tokenizer(["le NDVI moyen de ", " de sol nu"], 300, tuple(known))
    words = speech.words("le NDVI moyen de −0,07 ; 12\N{NARROW NO-BREAK SPACE}% de sol nu, 1234")
    assert sum(word in speech.digits for word in words) == 6
    assert speech.text(words) == "le NDVI moyen de −0,07 ; 12\N{NARROW NO-BREAK SPACE}% de sol nu, 1234"
    made = small_language_model(SmallModelSettings(width=64, layers=1, heads=2, hidden=64), speech)
    code = Code.of(64, 0.02)
    settle_numbers(made, code, 0.02)
    french = [word for word, (kind, _) in known.items() if kind == "value fr"]
    table = made.model.get_parameter("model.embed_tokens.weight")[speech.tokenizer.convert_tokens_to_ids(french)]
    wanted = torch.tensor([-0.5, 0.0, 0.43, 0.8])
    nearest = (code.point(wanted) @ table.T).argmax(dim=1)
    assert [known[french[one]][1] for one in nearest.tolist()] == pytest.approx(wanted.tolist(), abs=0.1)


# What is not there, or is something else ----------------------------------------------------------------------------


def test_language_models_that_cannot_be_opened(tmp_path: Path, speech: Speech) -> None:
    with pytest.raises(WeightsMissing, match=r"models fetch qwen2-1.5b-instruct"):
        open_language_model("Qwen/Qwen2-1.5B-Instruct")
    with pytest.raises(WeightsMissing, match="folder"):
        open_language_model("not a name")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UnreadableFile, match="does not hold"):
        open_language_model(tmp_path)


def test_a_folder_is_opened_and_its_tokenizer_is_held_against_it(tmp_path: Path, speech: Speech) -> None:
    made = small_language_model(SmallModelSettings(width=16, layers=1, heads=2, hidden=16), speech)
    made.model.save_pretrained(tmp_path)
    speech.save(tmp_path)
    opened = open_language_model(tmp_path)
    assert opened.width == 16
    assert opened.speech.words("Vigueur") == speech.words("Vigueur")
    assert read_speech(tmp_path).end == speech.end
    drawn = open_language_model(tmp_path, dtype="bf16")
    assert next(drawn.model.parameters()).dtype == torch.bfloat16
    other = train_tokenizer(["mot"], 300)
    other.tokenizer.add_tokens([f"w{n}" for n in range(600)])
    with pytest.raises(ContractMismatch, match="do not match"):
        check_speech(other, made.model, "here")


def test_a_tokenizer_without_the_words_of_conversations_is_given_them(speech: Speech) -> None:
    import copy

    bare = copy.deepcopy(speech.tokenizer)
    bare.chat_template, bare.pad_token = None, END
    own = Speech(bare)
    assert own.pad != own.end
    assert own.prompt("Q") == speech.prompt("Q")


@pytest.mark.parametrize(
    "line", ["no json", "[]", '{"parcel": "a"}', '{"parcel": "a", "taken": "x", "language": "fr", "text": ""}']
)
def test_captions_that_are_none(tmp_path: Path, line: str) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text(f'{{"parcel": "a", "language": "fr", "text": "Oui."}}\n\n{line}\n')
    with pytest.raises(UnreadableFile, match="line 3"):
        read_captions(file)
    with pytest.raises(FileMissing):
        read_captions(tmp_path / "none.jsonl")
    file.write_text('{"parcel": "a", "language": "fr", "text": "Oui."}\n')
    [key] = read_captions(file)
    assert (key.parcel, key.place, key.taken) == ("a", "", None)


def test_visual_tokens_of_nothing(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from arpent.tasks.describe.embedding_table import EncoderFacts, embedding_schema

    schema = embedding_schema(EncoderFacts("e", "croma", None, "mean"), 3, 2)
    row = {
        "parcel": "a",
        "place": "",
        "image": "i",
        "taken": None,
        "valid": 0.0,
        "embedding": None,
        "visual": None,
        "geometry": None,
    }
    pq.write_table(pa.Table.from_pylist([row], schema), tmp_path / "embeddings.parquet")
    with pytest.raises(DatasetError, match="no parcel that is seen"):
        read_visual(tmp_path)
