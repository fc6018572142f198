"""`python3 -m train.shards easy|hard|invented|held-out SEED FIRST COUNT FOLDER`: speech to train on, or to judge by.

`invented` are requests of today's corpus, a share of them in voices of variants.py's making.

A shard is a .npz of UTTERANCES utterances: `features` and `labels` of all of them end to end, `frames` of each.
"""

import argparse
import math
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve, resample_poly  # noqa: F401

from words.phones import SILENCE

from . import features, rooms
from .requests import Requests
from .texts import Texts
from .voices import RATE_HZ as SPOKEN_HZ
from .voices import Speaker

UTTERANCES = 600
# Resampling shifts pitch, formants and tempo together; rates are kept to multiples of this, so that it stays cheap.
RATE_STEP_HZ = 50
SNRS_DB = [5, 10, 12, 15, 18, 20, 25, 30]
REVERBERATIONS_S = [0.1, 0.2, 0.3, 0.4, 0.6]
PEAK = 32_767


@dataclass(frozen=True)
class Hardness:
    """How far sound and tempo stray from what espeak-ng makes: shares of utterances, and ranges."""

    shifted: float
    shift: tuple
    equalised: float
    in_room: float
    uneven: float


EASY = Hardness(shifted=0.6, shift=(0.88, 1.14), equalised=0.0, in_room=0.45, uneven=0.0)
HARD = Hardness(shifted=0.8, shift=(0.80, 1.24), equalised=0.6, in_room=0.55, uneven=0.45)
INVENTED = Hardness(shifted=0.5, shift=(0.88, 1.14), equalised=0.3, in_room=0.3, uneven=0.2)
NOISY_SHARE, MICROPHONE_SHARE, CLIPPED_SHARE, HISSING_SHARE = 0.85, 0.7, 0.05, 0.5


def utterance(speaker, texts, hardness, chance, rng, babble):
    """(features, labels, clean sound); None where espeak-ng said something that can't be used. `babble` is what was said before."""
    said = speaker.say(texts.draw(chance), chance)
    if said is None:
        return None
    sound, segments = said
    shift = chance.uniform(*hardness.shift) if chance.random() < hardness.shifted else 1.0
    rate = round(SPOKEN_HZ * shift / RATE_STEP_HZ) * RATE_STEP_HZ
    divisor = math.gcd(features.RATE_HZ, rate)
    sound = resample_poly(np.frombuffer(sound, np.int16).astype(float), features.RATE_HZ // divisor, rate // divisor)
    before, after = (int(chance.uniform(*range_s) * features.RATE_HZ) for range_s in ((0.05, 0.7), (0.1, 0.6)))
    clean = np.concatenate([np.zeros(before), sound, np.zeros(after)])
    segments = [(0.0, SILENCE)] + [(sample / rate + before / features.RATE_HZ, phone) for sample, phone in segments]
    if segments[-1][1] != SILENCE:
        segments.append(((len(clean) - after) / features.RATE_HZ, SILENCE))
    seen = features.cepstra(recorded(clean, hardness, chance, rng, babble))
    if chance.random() < hardness.uneven:
        seen, segments = features.in_uneven_tempo(seen, segments, chance)
    labels = features.targets(segments, len(seen))
    return None if labels is None else (seen, labels, clean)


def recorded(sound, hardness, chance, rng, babble):
    """As a microphone in some room would have it."""
    if chance.random() < MICROPHONE_SHARE:
        sound = rooms.through_microphone(sound, rng)
    if chance.random() < hardness.equalised:
        sound = rooms.through_equaliser(sound, rng)
    if chance.random() < hardness.in_room:
        sound = rooms.in_room(sound, chance.choice(REVERBERATIONS_S) * chance.uniform(0.7, 1.3), rng)
    if chance.random() < NOISY_SHARE:
        sound = rooms.with_noise(sound, chance.choice(SNRS_DB) + chance.uniform(-2, 2), rng, babble=babble)
    sound = sound / (np.max(np.abs(sound)) + rooms.TINY) * PEAK * 10 ** (-chance.uniform(1, 30) / 20)
    if chance.random() < CLIPPED_SHARE:
        sound = np.clip(sound * chance.uniform(1.5, 4), -32_000, 32_000)
    sound = np.round(sound)
    if chance.random() < HISSING_SHARE:
        sound = sound + rng.standard_normal(len(sound)) * chance.uniform(0.3, 2)
    return sound


def shard(speaker, texts, hardness, seed, count):
    """`count` utterances; the same seed gives the same."""
    chance, rng = random.Random(seed), np.random.default_rng(seed)
    kept, babble = [], None
    while len(kept) < count:
        made = utterance(speaker, texts, hardness, chance, rng, babble)
        if made is not None:
            seen, labels, babble = made
            kept.append((seen.astype(np.float16), labels))
    return {
        "features": np.concatenate([seen for seen, _ in kept]),
        "labels": np.concatenate([labels for _, labels in kept]),
        "frames": np.array([len(seen) for seen, _ in kept]),
    }


def main():
    """A file a shard, put in place whole."""
    parser = argparse.ArgumentParser(prog="train.shards", description=__doc__.split("\n\n")[0])
    parser.add_argument("kind", choices=["easy", "hard", "invented", "held-out"])
    parser.add_argument("seed", type=int)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--utterances", type=int, default=UTTERANCES)
    parser.add_argument("--share", type=float, default=0.5, help="for `invented`: of such voices")
    parser.add_argument("--corpus", type=Path, help="for `invented`: the folder that daemon/models/make_default.sh makes")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    speaker = Speaker(held_out=options.kind == "held-out", invented_share=options.share if options.kind == "invented" else None)
    texts = Requests(options.corpus) if options.kind == "invented" else Texts()
    hardness = {"hard": HARD, "invented": INVENTED}.get(options.kind, EASY)
    for number in range(options.first, options.first + options.count):
        made = shard(speaker, texts, hardness, options.seed * 100_003 + number, options.utterances)
        unfinished = options.folder / f".{number:04d}.npz"
        np.savez(unfinished, **made)
        unfinished.rename(options.folder / f"{number:04d}.npz")
        print(f"{number:04d}: {made['frames'].sum() / 6000:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
