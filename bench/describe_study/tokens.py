"""Tokens a second: answers side by side, beside `transformers.generate` with the same model one parcel at a time.

The language model has Qwen2's architecture and random weights: how fast words come does not depend on what they say.
Both ways take the likeliest word, keep keys and values, and write exactly as many words, since no answer can end. LoRA
is folded into the model, as it is when parcels are described. The goal is 3 times with 8 answers side by side.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from arpent.language.grammar import compose, text
from arpent.models.describer import VisionLanguage
from arpent.models.describer_settings import DescriberSettings, SmallModelSettings
from arpent.models.language_model import small_language_model, train_tokenizer
from arpent.models.speaking import SpeakingRule, speak
from arpent.tasks.describe.invented import invented
from arpent.tasks.describe.sequences import facts_of, left_padded, request_of

GOAL = 3.0


def run(argv: list[str]) -> bool:
    """Prints the figures; whether the goal is met."""
    parser = argparse.ArgumentParser(prog="describe.py tokens", description=__doc__)
    parser.add_argument("--width", type=int, default=256, help="numbers per word")
    parser.add_argument("--layers", type=int, default=4, help="blocks")
    parser.add_argument("--words", type=int, default=64, help="of an answer")
    parser.add_argument("--parcels", type=int, default=16, help="answers in all")
    parser.add_argument("--rounds", type=int, default=2, help="the fastest of so many rounds counts")
    asked = parser.parse_args(argv)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    measured = [invented(rng) for _ in range(asked.parcels)]
    speech = train_tokenizer([text(compose(one, "en", seed=n)) for n, one in enumerate(measured)] * 8, 600)
    sizes = SmallModelSettings(width=asked.width, layers=asked.layers, heads=8, hidden=3 * asked.width)
    language = small_language_model(sizes, speech).model.eval()
    shape = DescriberSettings(width=96, hidden=asked.width, words=asked.width)
    model = VisionLanguage(shape, language, speech.placeholder).eval()
    prompts = [speech.prompt(request_of("en", cells=25, facts=facts_of(one, "en"))) for one in measured]
    visual = torch.randn(asked.parcels, 25, 96)

    def together(batch: int) -> None:
        rule = SpeakingRule(end=-1, longest=asked.words)
        for first in range(0, len(prompts), batch):
            words, attended = left_padded(prompts[first : first + batch], speech.pad)
            with torch.inference_mode():
                vectors = model.embedded(visual[first : first + batch], words)
                speak(language, vectors, attended, rule)

    def alone() -> None:
        for number, prompt in enumerate(prompts):
            words, attended = left_padded([prompt], speech.pad)
            with torch.inference_mode():
                language.generate(
                    inputs_embeds=model.embedded(visual[number : number + 1], words),
                    attention_mask=attended.long(),
                    min_new_tokens=asked.words,
                    max_new_tokens=asked.words,
                    do_sample=False,
                    pad_token_id=speech.pad,
                )

    count = asked.words * asked.parcels
    print(f"{asked.parcels} answers of {asked.words} words, width {asked.width}, {asked.layers} layers, one thread")
    rates = {}
    for way, work in (
        ("transformers, one at a time", alone),
        ("one at a time", lambda: together(1)),
        ("batches of 8", lambda: together(8)),
    ):
        rates[way] = count / _fastest(work, asked.rounds)
        print(f"  {way:28}{rates[way]:8.0f} tokens/s", flush=True)
    ratio = rates["batches of 8"] / rates["transformers, one at a time"]
    print(f"  {ratio:.1f} × (goal {GOAL:g} ×)")
    return ratio >= GOAL


def _fastest(work, rounds: int) -> float:  # noqa: ANN001 - anything that can be called
    times = []
    for _ in range(rounds):
        # Time of this process: what others do on the same machine does not count.
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)
