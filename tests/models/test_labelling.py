"""Networks that give labels: what is absent does not count, padding is not read, and bundles keep all of it."""

import pytest
import torch
from torch.nn import functional

from arpent.core import Band, Contract
from arpent.errors import InvalidSetting
from arpent.models import Labeller, LabellerSettings, LabellingHead, build, load_bundle, save_bundle
from arpent.models.image_encoder import ImageEncoderSettings, build_image_encoder, feature_width

FUSIONS = ("concat", "gated", "late")
BERT = {
    "model_type": "bert",
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}


@pytest.fixture
def head():
    def make(fusion=None, *, image=True, text=True, transformer=None, reader="lstm"):
        torch.manual_seed(3)
        settings = LabellerSettings.model_validate(
            {
                "labels": 4,
                "image": {"hidden": 8} if image else None,
                "text": {"words": 40, "hidden": 6, "embedding": 5, "transformer": transformer or {}, "reader": reader}
                if text
                else None,
                "fusion": fusion,
            }
        )
        made = LabellingHead(settings, 12 if image else 0)
        for parameter in made.parameters():  # also those that begin as zeros
            torch.nn.init.normal_(parameter, std=0.3)
        return made.eval()

    return make


@pytest.fixture
def batch():
    torch.manual_seed(5)
    codes = torch.zeros(3, 30, dtype=torch.long)
    codes[:, :4] = torch.randint(1, 40, (3, 4))
    return torch.randn(3, 12), codes


def present(image, text, count=3):
    return torch.tensor([[image, text]]).expand(count, 2)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_what_stands_in_the_place_of_something_absent_changes_nothing(head, batch, fusion) -> None:
    model, (features, codes) = head(fusion), batch
    for there, other in (
        (present(True, False), (features, codes.flip(0))),
        (present(False, True), (features * 9, codes)),
    ):
        assert torch.equal(model(features, codes, there).logits, model(*other, there).logits)
    assert not torch.allclose(
        model(features, codes, present(True, True)).logits, model(features, codes.flip(0), present(True, True)).logits
    )


def test_late_fusion_without_one_is_the_other_branch_itself(head, batch) -> None:
    model = head("late")
    model.set_temperatures(1.5, 0.7, 2.0)
    answer = model(*batch, present(True, False))
    assert torch.equal(answer.logits, answer.image / 1.5)
    answer = model(*batch, present(False, True))
    assert torch.equal(answer.logits, answer.text / torch.tensor(0.7))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_each_answer_has_the_temperature_of_what_there_is(head, batch, fusion) -> None:
    model = head(fusion)
    before = [model(*batch, present(*there)) for there in ((True, False), (False, True), (True, True))]
    model.set_temperatures(2.0, 3.0, 5.0)
    after = [model(*batch, present(*there)) for there in ((True, False), (False, True), (True, True))]
    for heat, cold, hot in zip((2.0, 3.0, 5.0), before, after, strict=True):
        torch.testing.assert_close(cold.logits, hot.logits * heat)
        torch.testing.assert_close(cold.image, hot.image)


@pytest.mark.parametrize("kind", [{"image": False}, {"text": False}, {"fusion": "late"}, {"fusion": "gated"}])
def test_labels_speak_for_one_another_as_far_as_their_scores_are_there(head, batch, kind) -> None:
    model = head(**kind)
    weights = torch.randn(3, 9, 4)
    for there in ((True, False), (False, True), (True, True)):
        model.mending.set_weights(torch.zeros_like(weights))
        plain = model(*batch, present(*there))
        model.mending.set_weights(weights)
        mended = model(*batch, present(*there)).logits
        none = torch.zeros(3, 4)
        image = none if plain.image is None or not there[0] else plain.image
        text = none if plain.text is None or not there[1] else plain.text
        if not image.any() and not text.any():
            assert torch.equal(mended, plain.logits), "there is nothing to be mended"
            continue
        row = 2 if image.any() and text.any() else 0 if image.any() else 1
        expected = plain.logits + torch.cat([image, text, torch.ones(3, 1)], 1) @ weights[row]
        torch.testing.assert_close(mended, expected)


def test_branches_are_tempered_before_they_are_fused(head, batch) -> None:
    model = head("late")
    raw = model(*batch, present(True, True))
    model.set_tempers(2.0, 4.0)
    tempered = model(*batch, present(True, True))
    torch.testing.assert_close(tempered.image * 2, raw.image)
    torch.testing.assert_close(tempered.text * 4, raw.text)
    weights, bias = model.fusion.weights, model.fusion.bias
    torch.testing.assert_close(tempered.logits, weights[0] * tempered.image + weights[1] * tempered.text + bias)


def test_rare_words_speak_louder_and_unknown_ones_not_at_all(head) -> None:
    model = head(image=False)
    codes = torch.zeros(8, 30, dtype=torch.long)
    codes[:, 0], codes[0, 1] = 2, 3  # all have the one word, one has the other
    model.text.suit(codes)
    rareness = model.text.get_buffer("rareness")
    assert rareness[2] == 1
    assert rareness[3] == pytest.approx(1 + torch.log(torch.tensor(8.0)).item())
    told = model.text._evident(codes)
    assert torch.equal(told[1], told[2])
    assert not torch.equal(told[0], told[1])
    codes[0, 2] = 1
    assert torch.equal(model.text._evident(codes), told)


@pytest.mark.parametrize(
    "kind", [{"image": False}, {"text": False}, {"fusion": "late"}, {"fusion": "concat"}, {"fusion": "gated"}]
)
def test_where_there_is_nothing_the_answer_is_how_often_labels_are(head, batch, kind) -> None:
    model, shares = head(**kind), torch.tensor([0.1, 0.2, 0.5, 0.0])
    model.set_usual(shares)
    answer = torch.sigmoid(model(*batch, present(False, False)).logits)
    torch.testing.assert_close(answer, shares.expand(3, 4), atol=1e-3, rtol=0)


@pytest.mark.parametrize("own", [{}, {"reader": "words"}, {"transformer": BERT}])
def test_padding_is_not_read(head, batch, own) -> None:
    model, codes = head(image=False, **own), batch[1]
    nothing = torch.zeros(3, 0)
    short = model(nothing, codes[:, :4], present(False, True)).logits
    torch.testing.assert_close(model(nothing, codes, present(False, True)).logits, short)
    empty = model(nothing, torch.zeros_like(codes), present(False, True)).logits
    assert empty.isfinite().all()


def test_without_an_lstm_words_have_no_order_and_those_that_name_a_label_speak_for_it(head) -> None:
    codes = torch.tensor([[5, 6, 7, 0], [7, 5, 6, 0]])
    model, lstm = (head(image=False, reader=reader).text for reader in ("words", "lstm"))
    torch.testing.assert_close(*model(codes).scores)
    assert not torch.allclose(*lstm(codes).scores)
    before, names = model(codes).scores, torch.zeros(40, 4)
    names[6, 2] = names[7, 2] = 1  # two names of one label count once
    model.set_names(names)
    gained = model(codes).scores - before
    assert gained[:, [0, 1, 3]].abs().max() == 0
    torch.testing.assert_close(gained[:, 2], (10 * model.named.weight).expand(2))
    kept = lstm(codes).scores
    lstm.set_names(names)
    assert torch.equal(lstm(codes).scores, kept), "an LSTM learns what words mean by itself"


def test_words_are_forgotten_in_training_alone(head, batch) -> None:
    model, codes = head(image=False), batch[1]
    there = present(False, True)
    assert torch.equal(model(torch.zeros(3, 0), codes, there).text, model(torch.zeros(3, 0), codes, there).text)
    model.train()
    assert not torch.equal(model(torch.zeros(3, 0), codes, there).text, model(torch.zeros(3, 0), codes, there).text)


@pytest.mark.parametrize("fusion", [None, "gated"])
def test_a_bundle_answers_as_the_network_did(tmp_path, batch, fusion) -> None:
    text = {"words": 40} if fusion else None
    given = {"labels": 4, "image": {"side": 32, "padding": "same"}, "text": text, "fusion": fusion}
    model = build("labeller", given).eval()
    assert isinstance(model, Labeller)
    model.head.set_temperatures(1.0, 2.0, 3.0)
    contract = Contract(
        task="classify",
        architecture="labeller",
        settings=model.settings.model_dump(mode="json"),
        bands=tuple(Band(name=name) for name in ("red", "green", "blue")),
        arpent="0",
    )
    again = load_bundle(save_bundle(tmp_path / "labeller.safetensors", model, contract)).model
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        mine = model(images, batch[1], present(True, True))
        assert torch.equal(again(images, batch[1], present(True, True)).logits, mine.logits)
        features = model.encoder(images)
        assert torch.equal(model.head(features, batch[1], present(True, True)).logits, mine.logits)


@pytest.mark.parametrize(
    "given",
    [{"image": None}, {"text": {}}, {"fusion": "late"}, {"image": None, "text": {}, "fusion": "late"}],
    ids=["nothing", "not-fused", "one-image", "one-text"],
)
def test_branches_and_fusion_must_fit(given) -> None:
    with pytest.raises(InvalidSetting, match="two branches and a fusion"):
        build("labeller", given)


def test_same_padding_puts_the_rim_right_and_below() -> None:
    torch.manual_seed(1)
    same = build_image_encoder(ImageEncoderSettings(padding="same")).eval()
    stem = same.conv_stem
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = functional.conv2d(functional.pad(image, (0, 1, 0, 1)), stem.weight, stride=2)
        torch.testing.assert_close(stem(image), expected)
        assert same(image).shape == (1, feature_width(same)) == (1, 1280)
    symmetric = build_image_encoder(ImageEncoderSettings())
    symmetric.load_state_dict(same.state_dict())  # the same tensors fit both
    strided = [module for module in same.modules() if getattr(module, "stride", None) == (2, 2)]
    assert len(strided) == 5


def test_an_encoder_without_a_choice_of_padding_says_so() -> None:
    with pytest.raises(InvalidSetting, match="'resnet18' knows no padding but its own"):
        build_image_encoder(ImageEncoderSettings(name="resnet18", padding="same"))
