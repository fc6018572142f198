"""Pronunciations, observed: espeak-ng says every word, alone and in sentences, in every accent the acoustic model was trained on.

Nobody writes a pronunciation by hand, and a word has as many as the accents (and its neighbours: "the" before a vowel) give it.
"""

import collections
import random

from . import phones, text
from .espeak import PHONEME_EVENT, WORD_EVENT, Espeak

ACCENTS = [
    "gmw/en", "gmw/en-029", "gmw/en-GB-scotland", "gmw/en-GB-x-gbclan", "gmw/en-GB-x-gbcwmd", "gmw/en-GB-x-rp", "gmw/en-US",
    "gmw/en-US-nyc",
]

# Around a word, so that it is heard as it is in speech and not only as it is in a list.
CARRIERS = ["{}", "the {} is", "show {}", "{} {}"]

# Sentences per word in which its pronunciation is observed, over all accents.
SENTENCES_PER_WORD = 16

# A pronunciation rarer than this share of a word's is an accident of espeak-ng's; at most so many are kept.
SHARE_MIN = 0.02
PRONUNCIATIONS_MAX = 6

WEIGHT_DECIMALS = 4

# Only phonemes are wanted: the faster the less sound to make. The phonemes are the same.
_RATE = 400


def words_with_phones(written, said, events):
    """Yields (word, [phones]) for the words of `written` whose part of espeak-ng's events can be told apart.

    `written` and `said` run side by side: `pve` was said as "p v e". espeak-ng may merge short words ("of the"); those are left out.
    """
    spans, place = [], 1
    for word, form in zip(written, said):
        spans.append((place, place + len(form), word, len(form.split())))
        place += len(form) + 1
    segments = []
    for kind, character, _sample, name in events:
        if kind == WORD_EVENT:
            segments.append((character, []))
        elif kind == PHONEME_EVENT and segments and not phones.is_silence(name) and not phones.is_mark(name):
            segments[-1][1].append(phones.base_phone(name))
    starts = [start for start, _ in segments]
    for first, end, word, parts in spans:
        inside = [i for i, start in enumerate(starts) if first <= start < end]
        if len(inside) != parts or starts[inside[0]] != first:
            continue
        following = inside[-1] + 1
        if following < len(starts) and starts[following] != end + 1:
            continue
        if following == len(starts) and end != spans[-1][1]:
            continue
        heard = [phone for i in inside for phone in segments[i][1]]
        if heard and None not in heard:
            yield word, heard


def observe(vocabulary, sentences, spelled=frozenset(), seed=11):
    """Pronunciations of every word of `vocabulary`: {word: [(weight, phones)]}, the commonest first with weight 1."""
    engine, chance = Espeak(), random.Random(seed)
    counts = collections.defaultdict(collections.Counter)

    def say(written, said, accent):
        _, events = engine.speak(" ".join(said), accent, rate=_RATE)
        for word, heard in words_with_phones(written, said, events):
            if word in counts_of:
                counts[word][tuple(heard)] += 1

    counts_of = set(vocabulary)
    for word in sorted(vocabulary):
        for form in text.spoken_forms(word, spelled):
            for accent in ACCENTS:
                for carrier in CARRIERS:
                    written = carrier.format(*[word] * carrier.count("{}")).split()
                    say(written, [form if part == word else part for part in written], accent)
    for sentence in _sentences_for(counts_of, sentences, chance):
        written = sentence.split()
        said = [chance.choice(text.spoken_forms(word, spelled)) for word in written]
        say(written, said, chance.choice(ACCENTS))
    missing = [word for word in sorted(vocabulary) if not counts[word]]
    if missing:
        raise ValueError(f"espeak-ng says these words with sounds the acoustic model has not: {' '.join(missing)}")
    return {word: _kept(counts[word]) for word in sorted(vocabulary)}


def _sentences_for(vocabulary, sentences, chance):
    """Few sentences that hold every word often enough."""
    order = list(sentences)
    chance.shuffle(order)
    seen = collections.Counter()
    for sentence in order:
        new = [word for word in sentence.split() if word in vocabulary and seen[word] < SENTENCES_PER_WORD]
        if new and text.UNKNOWN not in sentence:
            seen.update(new)
            yield sentence


def _kept(counter):
    total = sum(counter.values())
    common = counter.most_common()
    kept = [(phones_, n) for phones_, n in common if n / total >= SHARE_MIN][:PRONUNCIATIONS_MAX] or common[:2]
    # As `write` writes them: the graph made now and the one made of the file are the same.
    return [(round(n / kept[0][1], WEIGHT_DECIMALS), list(phones_)) for phones_, n in kept]


def read(path):
    """A lexicon file: `word <TAB> weight <TAB> phones`, a line a pronunciation."""
    lexicon = collections.defaultdict(list)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            word, weight, heard = line.rstrip("\n").split("\t")
            lexicon[word].append((float(weight), heard.split()))
    return dict(lexicon)


def write(path, lexicon):
    """The file that `read` reads."""
    with open(path, "w", encoding="utf-8") as out:
        for word in sorted(lexicon):
            for weight, heard in lexicon[word]:
                out.write(f"{word}\t{weight:.{WEIGHT_DECIMALS}f}\t{' '.join(heard)}\n")
