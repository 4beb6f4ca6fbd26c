"""A language model that sees: what is trained, what stays, and that visual tokens stand exactly where they should."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from arpent.core import Contract, file_sha256
from arpent.errors import (
    BundleInvalid,
    ContractMismatch,
    FileMissing,
    InvalidSetting,
    NotWritable,
    WeightsMismatch,
)
from arpent.models.describer import (
    Listener,
    VisionAdapter,
    VisionLanguage,
    spoken_scores,
    with_lora,
    without_peft_warnings,
)
from arpent.models.describer_bundle import ADAPTER, DescriberFacts, base_pins, open_describer, save_describer
from arpent.models.describer_settings import DescriberSettings, LoraSettings, SmallModelSettings
from arpent.models.language_model import LanguageModel, small_language_model, train_tokenizer
from arpent.models.load import load_bundle
from arpent.models.speaking import SpeakingRule, speak
from arpent.store import bundles_under
from arpent.version import __version__

SIZES = SmallModelSettings(width=32, layers=2, heads=2, hidden=48, vocabulary=320)
SHAPE = DescriberSettings(width=8, hidden=16, words=32, cells=4, lora=LoraSettings(rank=4, alpha=8))
WORDS = ["Le NDVI moyen de 0,52 traduit une vigueur modérée.", "The mean NDVI of 0.52 points to moderate vigour."] * 8


@pytest.fixture(scope="module")
def language() -> LanguageModel:
    torch.manual_seed(0)
    made = small_language_model(SIZES, train_tokenizer(WORDS, SIZES.vocabulary))
    made.model.eval().requires_grad_(False)
    return made


@pytest.fixture
def seeing(language: LanguageModel) -> VisionLanguage:
    """With LoRA that has an effect."""
    import copy

    torch.manual_seed(1)
    model = VisionLanguage(SHAPE, with_lora(copy.deepcopy(language.model), SHAPE.lora), language.speech.placeholder)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.2)
    return model.eval()


def prompts(language: LanguageModel, *requests: str) -> tuple[Tensor, Tensor]:
    rows = [language.speech.prompt(one) for one in requests]
    width = max(map(len, rows))
    words = torch.tensor([[*[language.speech.pad] * (width - len(row)), *row] for row in rows])
    return words, torch.tensor([[False] * (width - len(row)) + [True] * len(row) for row in rows])


def test_the_adapter_has_the_size_of_the_published_chain_and_not_of_its_first_one() -> None:
    shape = DescriberSettings()
    assert (shape.width, shape.hidden, shape.words) == (1024, 1536, 1536)
    adapter = VisionAdapter(shape)
    layers = sum(one.numel() for layer in (adapter.enter, adapter.leave) for one in layer.parameters())
    assert layers == 3_935_232
    assert sum(one.numel() for one in adapter.parameters()) == layers + 26 * 1536


def test_a_parcel_is_the_mean_of_its_cells_until_a_cell_of_its_own_is_learnt() -> None:
    torch.manual_seed(0)
    adapter, visual = VisionAdapter(SHAPE), torch.randn(2, 4, 8)
    turned = visual[:, [2, 0, 3, 1]]
    torch.testing.assert_close(adapter(visual), adapter(turned))
    assert not torch.allclose(adapter(visual)[:, 0], adapter(visual)[:, 1])  # each place passes on what it pleases
    nn.init.constant_(adapter.own, 0.5)
    assert not torch.allclose(adapter(visual), adapter(turned), atol=1e-3)


def test_lora_on_qwen2_has_the_published_counts() -> None:
    """36 929 536 trainable of 1 580 643 840, counted on Qwen2-1.5B's own configuration."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=151_936,
        hidden_size=1536,
        intermediate_size=8960,
        num_hidden_layers=28,
        num_attention_heads=12,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        bent = with_lora(Qwen2ForCausalLM(config), LoraSettings())
    counts = [(one.numel(), one.requires_grad) for one in bent.parameters()]
    assert sum(count for count, moves in counts if moves) == 36_929_536
    assert sum(count for count, _ in counts) == 1_580_643_840


def test_each_placeholder_becomes_its_own_visual_token_and_no_other_word_moves(
    language: LanguageModel, seeing: VisionLanguage
) -> None:
    image = "<|image_pad|>" * 4
    words, _ = prompts(
        language, f"{image}Décris.", f"{image} puis {image} : compare les deux parcelles.", "Sans image."
    )
    visual = torch.randn(3, 4, 8)
    vectors = seeing.embedded(visual, words)
    plain = language.model.get_input_embeddings()(words.clamp(max=SIZES.vocabulary - 1))
    places = words == language.speech.placeholder
    assert places.sum(1).tolist() == [4, 8, 0]
    assert torch.equal(vectors[places], seeing.adapter(visual).reshape(-1, 32))
    assert torch.equal(vectors[~places], plain[~places])


def test_images_and_prompts_must_go_together(language: LanguageModel, seeing: VisionLanguage) -> None:
    words, _ = prompts(language, "<|image_pad|>" * 4)
    with pytest.raises(ContractMismatch, match="do not go together"):
        seeing.embedded(torch.randn(2, 4, 8), words)
    with pytest.raises(ContractMismatch, match="do not go together"):
        seeing.embedded(None, words)
    with pytest.raises(ContractMismatch, match="not of the encoder"):
        seeing.embedded(torch.randn(1, 4, 9), words)


def test_scores_are_those_of_the_whole_model_at_the_places_that_are_asked_for(
    language: LanguageModel, seeing: VisionLanguage
) -> None:
    words, attended = prompts(language, "<|image_pad|>" * 4 + "Décris.", "<|image_pad|>" * 4 + "Décris la parcelle.")
    visual, spoken = torch.randn(2, 4, 8), torch.zeros_like(attended)
    spoken[0, -1] = spoken[1, -3:] = True
    seen = seeing(visual, words, attended, spoken)
    places = (attended.long().cumsum(1) - 1).clamp(min=0)
    whole = seeing.language(
        inputs_embeds=seeing.embedded(visual, words), attention_mask=attended.long(), position_ids=places
    ).logits
    torch.testing.assert_close(seen.scores, whole[spoken])
    torch.testing.assert_close(seen.image, seeing.adapter(visual))


def test_only_adapter_and_lora_are_state_and_the_base_stays(language: LanguageModel, seeing: VisionLanguage) -> None:
    before = {name: one.clone() for name, one in language.model.state_dict().items()}
    state = seeing.state_dict()
    assert all(name.startswith("adapter.") or "lora_" in name for name in state)
    assert {name.rpartition(".")[2] for name in state if name.startswith("adapter.")} == {
        "weight", "bias", "centre", "own", "places", "spread",
    }  # fmt: skip
    moving = [one for one in seeing.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(moving, lr=0.1)
    words, attended = prompts(language, "<|image_pad|>" * 4 + "Décris.")
    seeing(torch.randn(1, 4, 8), words, attended, attended).scores.square().mean().backward()
    optimiser.step()
    bare = seeing.language.unload()
    assert all(torch.equal(before[name], one) for name, one in bare.state_dict().items())
    assert not torch.equal(state["adapter.enter.weight"], torch.zeros(1))

    fresh = VisionLanguage(SHAPE, with_lora(bare, SHAPE.lora), language.speech.placeholder)
    fresh.load_state_dict(state)  # strict, and still without the weights underneath
    with pytest.raises(RuntimeError, match=r"adapter\.enter\.weight"):
        fresh.load_state_dict({name: one for name, one in state.items() if name != "adapter.enter.weight"})


def test_lora_on_projections_that_are_not_there_is_told(language: LanguageModel) -> None:
    with pytest.raises(InvalidSetting, match="c_attn"):
        with_lora(language.model, LoraSettings(targets=("c_attn",)))


def test_a_listener_is_given_vectors(language: LanguageModel) -> None:
    listener = Listener(language.model, language.speech.placeholder)
    words, attended = prompts(language, "<|image_pad|>" * 2 + "Donne.")
    image = torch.randn(1, 2, 32)
    seen, other = listener(image, words, attended, attended), listener(image + 1, words, attended, attended)
    assert seen.image is image
    assert not torch.allclose(seen.scores[-1], other.scores[-1])


def test_statistics_of_tokens_are_fixed(seeing: VisionLanguage) -> None:
    """A brighter image gives other vectors, also alone in its batch."""
    seeing.adapter.suit(torch.full((8,), 2.0), torch.full((8,), 3.0))
    visual = torch.randn(2, 4, 8)
    assert not torch.allclose(seeing.adapter(visual), seeing.adapter(visual * 1.3))
    torch.testing.assert_close(seeing.adapter(visual)[:1], seeing.adapter(visual[:1]))


# Answers ------------------------------------------------------------------------------------------------------------


def test_answers_are_those_of_transformers_alone_and_side_by_side(
    language: LanguageModel, seeing: VisionLanguage
) -> None:
    """Greedy, with a cache and left padding: the same words as `generate` gives one prompt at a time."""
    requests = ["<|image_pad|>" * 4 + text for text in ("Décris.", "Décris la parcelle : vigueur, humidité.", "?")]
    words, attended = prompts(language, *requests)
    visual = torch.randn(3, 4, 8)
    rule = SpeakingRule(language.speech.end, 12)
    together = speak(seeing.language, seeing.embedded(visual, words), attended, rule)
    for number, request in enumerate(requests):
        alone, mask = prompts(language, request)
        vectors = seeing.embedded(visual[number : number + 1], alone)
        own = speak(seeing.language, vectors, mask, rule)[0]
        theirs = seeing.language.generate(
            inputs_embeds=vectors, attention_mask=mask.long(), max_new_tokens=12, do_sample=False,
            eos_token_id=language.speech.end, pad_token_id=language.speech.pad,
        )[0].tolist()  # fmt: skip
        assert list(own.words) == [word for word in theirs if word != language.speech.end]
        assert together[number] == own


def test_an_answer_that_never_ends_is_bounded_and_flagged(language: LanguageModel, seeing: VisionLanguage) -> None:
    words, attended = prompts(language, "Parle.")
    heard: list[tuple[int, int]] = []
    never = SpeakingRule(end=-1, longest=7)
    [cut] = speak(
        seeing.language, seeing.embedded(None, words), attended, never, lambda row, word: heard.append((row, word))
    )
    assert len(cut.words) == 7
    assert not cut.ended
    assert heard == [(0, word) for word in cut.words]
    [whole] = speak(seeing.language, seeing.embedded(None, words), attended, SpeakingRule(cut.words[2], 7))
    assert whole.ended
    assert whole.words == cut.words[: list(cut.words).index(cut.words[2])]
    enough = SpeakingRule(-1, 7, enough=lambda said: len(said) == 3)
    assert speak(seeing.language, seeing.embedded(None, words), attended, enough)[0].words == cut.words[:3]


def test_words_are_drawn_by_the_seed(language: LanguageModel, seeing: VisionLanguage) -> None:
    words, attended = prompts(language, "Parle.", "Décris.")
    vectors = seeing.embedded(None, words)

    def drawn(seed: int) -> list[tuple[int, ...]]:
        rule = SpeakingRule(-1, 10, warmth=1.5, seed=seed)
        return [one.words for one in speak(seeing.language, vectors, attended, rule)]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


# The folder ---------------------------------------------------------------------------------------------------------


def contract(**facts: object) -> Contract:
    settings = DescriberFacts(adapter=SHAPE, encoder="e" * 64, **facts).model_dump(mode="json")  # type: ignore[arg-type]
    return Contract(task="describe", architecture="describer", settings=settings, bands=(), arpent=__version__)


def scores(model: VisionLanguage, language: LanguageModel) -> Tensor:
    words, attended = prompts(language, "<|image_pad|>" * 4 + "Décris.")
    torch.manual_seed(5)
    return model.eval()(torch.randn(1, 4, 8), words, attended, attended).scores


@pytest.fixture
def folder(tmp_path: Path, seeing: VisionLanguage, language: LanguageModel) -> Path:
    seeing.adapter.suit(torch.arange(8.0), torch.arange(8.0))
    return save_describer(tmp_path / "describer", seeing, language, contract(), published=True)


def test_a_describer_comes_back_whole(folder: Path, seeing: VisionLanguage, language: LanguageModel) -> None:
    for merged in (True, False):
        opened = open_describer(folder / "bundle.json", merged=merged)
        torch.testing.assert_close(scores(opened.model, language), scores(seeing, language), rtol=1e-4, atol=1e-5)
        assert opened.facts.encoder == "e" * 64
        assert not any(one.requires_grad for one in opened.model.parameters())
    text = "Vigueur modérée : 0,52."
    assert opened.speech.text(opened.speech.words(text)) == text
    assert opened.model.adapter.spread.min() > 0


def test_peft_itself_opens_the_lora_and_xvision_finds_its_files(
    folder: Path, seeing: VisionLanguage, language: LanguageModel
) -> None:
    import copy

    from peft import PeftModel

    for name in ("lora", "qwen2_lora_multimodal"):
        with without_peft_warnings():
            alone = PeftModel.from_pretrained(copy.deepcopy(language.model), folder / name)
        theirs = {key: one for key, one in alone.state_dict().items() if "lora_" in key}
        own = {key: one for key, one in seeing.language.state_dict().items() if "lora_" in key}
        assert theirs.keys() == own.keys()
        assert all(torch.equal(theirs[key], own[key]) for key in own)
    state = torch.load(folder / "vision_adapter.pt", weights_only=True)
    assert all(torch.equal(state[key], one) for key, one in load_file(folder / ADAPTER).items())


def test_a_describer_takes_the_place_of_a_bundle_and_of_nothing_else(
    folder: Path, tmp_path: Path, seeing: VisionLanguage, language: LanguageModel
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(b"dear")
    with pytest.raises(NotWritable, match="other than a bundle"):
        save_describer(tmp_path / "photos", seeing, language, contract())
    assert (tmp_path / "photos" / "1.jpg").read_bytes() == b"dear"
    save_describer(folder, seeing, language, contract(encoder_name="again"))
    assert open_describer(folder).facts.encoder_name == "again"
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "describer"}
    (found,) = bundles_under(folder)
    assert found.bytes == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_a_describer_is_no_network_by_itself(folder: Path) -> None:
    with pytest.raises(BundleInvalid, match="describe generate"):
        load_bundle(folder)


def test_parts_are_pinned(folder: Path) -> None:
    document = json.loads((folder / "bundle.json").read_text())
    assert document["parts"][ADAPTER] == file_sha256(folder / ADAPTER)
    assert {"lora/adapter_model.safetensors", "lora/adapter_config.json", "tokenizer/tokenizer.json"} <= set(
        document["parts"]
    )
    state = load_file(folder / ADAPTER)
    save_file({name: one + 1 for name, one in state.items()}, folder / ADAPTER)
    with pytest.raises(BundleInvalid, match="not as it was saved"):
        open_describer(folder)
    (folder / ADAPTER).unlink()
    with pytest.raises(BundleInvalid, match="lacks its part"):
        open_describer(folder)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"parts": {"../secret": "0" * 64}}, "outside itself"),
        ({"parts": {}}, "lacks its part"),
        ({"architecture": "unet"}, "no model that describes"),
    ],
)
def test_strange_folders_are_refused(folder: Path, change: dict[str, object], found: str) -> None:
    header = folder / "bundle.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | change))
    with pytest.raises(BundleInvalid, match=found):
        open_describer(folder)
    with pytest.raises(FileMissing):
        open_describer(folder.with_name("nowhere"))


def test_another_language_model_is_refused(
    tmp_path: Path, seeing: VisionLanguage, language: LanguageModel, folder: Path
) -> None:
    home = tmp_path / "base"
    language.model.save_pretrained(home)
    language.speech.save(home)
    made = save_describer(tmp_path / "d", seeing, language, contract(base=str(home), base_sha256=base_pins(home)))
    assert not (made / "base").exists()
    torch.testing.assert_close(
        scores(open_describer(made).model, language), scores(seeing, language), rtol=1e-4, atol=1e-5
    )
    weights = load_file(home / "model.safetensors")
    save_file({name: one * 1.01 for name, one in weights.items()}, home / "model.safetensors", {"format": "pt"})
    with pytest.raises(ContractMismatch, match="not the language model"):
        open_describer(made)
    wide = small_language_model(SmallModelSettings(**{**SIZES.model_dump(), "width": 64}), language.speech)
    wide.model.save_pretrained(tmp_path / "wide")
    with pytest.raises((WeightsMismatch, RuntimeError)):
        open_describer(folder, base=str(tmp_path / "wide"))


def test_the_places_of_an_image_may_be_a_word_beyond_the_table(language: LanguageModel) -> None:
    """Qwen2's table has no row for a placeholder that is added to its tokenizer."""
    words = torch.tensor([[1, 10_000, 10_000, 2]])
    model = VisionLanguage(DescriberSettings(width=8, hidden=8, words=32, cells=2), language.model, 10_000)
    assert model.embedded(torch.randn(1, 2, 8), words).shape == (1, 4, 32)


def test_padding_changes_no_score(language: LanguageModel) -> None:
    words, attended = prompts(language, "Décris la parcelle.", "Parle.")
    table = language.model.get_input_embeddings()
    both = spoken_scores(language.model, table(words), attended, attended)
    alone, mask = prompts(language, "Parle.")
    np.testing.assert_allclose(
        both[-int(mask.sum()) :].numpy(), spoken_scores(language.model, table(alone), mask, mask).numpy(), atol=1e-5
    )
