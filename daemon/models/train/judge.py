"""`python3 -m train.judge MODEL trained|untried|invented`: word errors of a model's folder on the tuning sentences, clean and with noise.

`trained` are variants that the network heard, `untried` two that it never did, `invented` those of variants.py's making that are kept for
this; they need ESPEAK_DATA_PATH. Held-out variants are for the benches alone. Needs vosk==0.3.45 from PyPI.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly
from vosk import KaldiRecognizer, Model, SetLogLevel

from words.challenge import distance
from words.espeak import Espeak
from words.text import canonical

from . import rooms
from .voices import ACCENTS, INVENTED, TRAINED, TUNING, invented

SENTENCES = Path(__file__).parent.parent / "tuning_sentences.txt"
WHO = {
    "trained": TRAINED[::5],
    "untried": ["announcer", "michel"],
    "invented": [invented(number) for number in range(INVENTED, INVENTED + TUNING)],
}
# Every sentence so often, each time in another voice.
TIMES = 3
RATES = [150, 165, 175, 190]
PEAK, LEAD_SAMPLES, HISS = 10_000, 4_800, 5
NOISES, SNR_DB = ["white", "pink", "brown"], 15
# Sound is handed over in pieces of 0.2 s, as bytes.
PIECE = 6_400


def spoken(engine, sentence, number, voices):
    """A sentence at 16 kHz, with silence around it."""
    voice = f"{ACCENTS[number % len(ACCENTS)]}+{voices[number // 3 % len(voices)]}"
    sound, _ = engine.speak(sentence, voice, keep_sound=True, rate=RATES[number % len(RATES)], pitch=50, pitch_range=50, word_gap=0)
    sound = resample_poly(np.frombuffer(sound, np.int16).astype(float), 320, 441)
    return np.pad(sound / np.max(np.abs(sound)) * PEAK, LEAD_SAMPLES)


def heard(model, sound):
    """What the recogniser makes of it."""
    recogniser, samples = KaldiRecognizer(model, rooms.RATE_HZ), np.round(sound).clip(-32_768, 32_767).astype(np.int16).tobytes()
    texts = []
    for start in range(0, len(samples), PIECE):
        if recogniser.AcceptWaveform(samples[start : start + PIECE]):
            texts.append(json.loads(recogniser.Result())["text"])
    return " ".join([*texts, json.loads(recogniser.FinalResult())["text"]])


def main():
    """A line for clean sound, one for noise."""
    parser = argparse.ArgumentParser(prog="train.judge", description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("who", choices=WHO)
    options = parser.parse_args()
    SetLogLevel(-1)
    model, engine, rng = Model(str(options.model)), Espeak(), np.random.default_rng(5)
    lines = [line.strip() for line in SENTENCES.read_text().splitlines()]
    sentences = [line for line in lines if line and not line.startswith("#")] * TIMES
    for name in ("clean", "noise"):
        errors = words = 0
        for number, sentence in enumerate(sentences):
            sound = spoken(engine, sentence, number, WHO[options.who])
            if name == "clean":
                sound = sound + rng.standard_normal(len(sound)) * HISS
            else:
                sound = rooms.with_noise(sound, SNR_DB, rng, kind=NOISES[number % len(NOISES)])
            said = canonical(sentence).split()
            errors, words = errors + distance(said, canonical(heard(model, sound)).split()), words + len(said)
        print(f"{options.who}, {name}: {errors} errors in {words} words, {errors / words:.4f}", flush=True)


if __name__ == "__main__":
    main()
