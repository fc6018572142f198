"""The synthetic voices, and the phones of what they say.

espeak-ng tells when each phoneme begins, to the sample. So nothing has to be aligned, which is what makes training this small.
"""

from words import phones, text
from words.espeak import PHONEME_EVENT, Espeak

# The rate at which espeak-ng speaks.
RATE_HZ = 22_050

ACCENTS = [
    "gmw/en", "gmw/en-US", "gmw/en-US", "gmw/en-GB-scotland", "gmw/en-GB-x-gbclan", "gmw/en-GB-x-rp", "gmw/en-GB-x-gbcwmd", "gmw/en-029",
    "gmw/en-US-nyc",
]
# Never trained on: tests/src/bench/ear.rs measures with them. "" is the accent's plain voice, which comes as often as three.
HELD_OUT = ["m7", "f4", "Andy", "linda", "Michael", "steph2", "klatt3", "Mario"]
VARIANTS = ["", "", ""] + (
    "adam Alex Alicia Andrea Annie antonio aunty belinda benjamin boris caleb david Denis Diogo ed edward edward2 Gene Gene2 gustave Henrique "
    "Hugo iven iven2 iven3 iven4 Jacky john kaukovalta Lee marcelo Marco max miguel Mike Mr Nguyen pablo paul pedro quincy RicishayMax "
    "RicishayMax2 RicishayMax3 rob robert steph steph3 Storm zac anika f2 f3 f5 f1 m1 m2 m3 m4 m5 m6 m8 grandpa grandma klatt klatt2 klatt4 "
    "klatt5 klatt6 norbert sandro shelby travis victor croak fast"
).split()
# What invented variants begin from (variants.py).
TRAINED = [name for name in VARIANTS if name]
# Invented variants: so many to train on, and so many after them to tune words, language model and beam with.
INVENTED, TUNING = 70, 20
# Robots and whispers come seldom.
RARE_VARIANTS = "Demonic robosoft robosoft2 robosoft4 Tweaky UniRobot anikaRobot whisper whisperf".split()
RARE_SHARE = 0.04

# Words that are said as their letters.
SPELLED = {word: " ".join(word) for word in ("pve", "vm", "dns")}
# A comma, which makes a pause, in so many sentences.
COMMA_SHARE = 0.35
# A shorter sound than this many samples is an accident.
SAMPLES_MIN = 3_000


def invented(number):
    """Name of an invented variant."""
    return f"nv{number:03d}"


def voice(chance, held_out=False, invented_share=None):
    """Name of a voice for espeak-ng; of `invented_share`, such a share are invented ones."""
    if held_out:
        variant = chance.choice(HELD_OUT)
    elif invented_share is not None:
        variant = chance.choice(VARIANTS) if chance.random() < 1 - invented_share else invented(chance.randrange(INVENTED))
    else:
        variant = chance.choice(RARE_VARIANTS if chance.random() < RARE_SHARE else VARIANTS)
    accent = chance.choice(ACCENTS)
    return f"{accent}+{variant}" if variant else accent


def prosody(chance):
    """Speed, pitch and pauses."""
    return {
        "rate": chance.randint(110, 240),
        "pitch": chance.randint(5, 95),
        "pitch_range": chance.randint(10, 90),
        "word_gap": chance.choice([0, 0, 0, 0, 1, 2, 4]),
    }


def spoken(sentence, chance):
    """As it is given to espeak-ng."""
    words = [SPELLED.get(word, word) for word in text.canonical(sentence).split()]
    if chance.random() < COMMA_SHARE and len(words) > 2:
        words[chance.randint(0, len(words) - 2)] += ","
    return " ".join(words)


class Speaker:
    """Says sentences in random voices."""

    def __init__(self, **whose):
        self._engine, self._whose = Espeak(), whose
        assert self._engine.rate_hz == RATE_HZ

    def say(self, sentence, chance):
        """Returns (16-bit samples as bytes, [(sample, phone)]); None where a phone is none of ours."""
        words = spoken(sentence, chance)
        sound, events = self._engine.speak(words, voice(chance, **self._whose), keep_sound=True, **prosody(chance))
        segments = []
        for kind, _character, sample, name in events:
            if kind != PHONEME_EVENT or phones.is_mark(name):
                continue
            phone = phones.SILENCE if phones.is_silence(name) else phones.base_phone(name)
            if phone is None:
                return None
            segments.append((sample, phone))
        return (sound, segments) if segments and len(sound) >= 2 * SAMPLES_MIN else None
