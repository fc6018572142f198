"""`python3 -m train.phone_bigrams OUT [WORD_LIST]`: which phone follows which in English words.

Of `phone_bigrams.tsv` the graph makes its unknown word. Needs a list of English words (apt-get install wamerican-small). Done once per acoustic model, not per vocabulary.
"""

import argparse
import collections
import random
import re
from pathlib import Path

from words import lexicon
from words.espeak import Espeak

WORDS = 6000
SEED = 4


def main():
    """Every word of a sample, in one accent each."""
    parser = argparse.ArgumentParser(prog="train.phone_bigrams", description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("word_list", type=Path, nargs="?", default=Path("/usr/share/dict/american-english-small"))
    options = parser.parse_args()
    chance, engine = random.Random(SEED), Espeak()
    words = sorted(set(re.findall(r"^[a-z]{3,11}$", options.word_list.read_text(encoding="utf-8"), re.MULTILINE)))
    pairs = collections.Counter()
    for word in chance.sample(words, WORDS):
        _, events = engine.speak(word, chance.choice(lexicon.ACCENTS), rate=400)
        for _, heard in lexicon.words_with_phones([word], [word], events):
            edges = ["<", *heard, ">"]
            pairs.update(zip(edges, edges[1:]))
    rows = (f"{before}\t{after}\t{count}\n" for (before, after), count in sorted(pairs.items()))
    options.out.write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
