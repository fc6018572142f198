"""`python3 -m words.challenge MODEL OUT`: chooses the challenge words, `daemon/core/src/challenge_words.txt`.

By two of them, drawn at random and said back, somebody shows that they are there. A recogniser must not take one for another, nor for
a word of a request. So of the candidates (`challenge_candidates.txt`) those are chosen that are farthest apart in phones: every
pronunciation of a word that any accent gives it from every one of every other, by edit distance. The distance reached is written into
the file, and a test of tests/tests/words.rs holds the model's lexicon to it.
"""

import argparse
import random
import sys
from pathlib import Path

from . import lexicon

HERE = Path(__file__).resolve().parent
CANDIDATES = HERE / "challenge_candidates.txt"

# So many are chosen: two of 64 are 4,032 challenges, 12 bits.
WORDS = 64
# From every word that a request may use, at least so far away.
FROM_REQUESTS_MIN = 2
# Phones of a word, as any accent says it: shorter ones are easily lost, longer ones are a burden to say. Distance comes first, then
# brevity: the longest word is as short as the distance allows.
PHONES_MIN, PHONES_MAX = 4, 9
# Choosing is a search from random beginnings; so many are tried before it is given up.
TRIES = 300
SEED = 7


def distance(one, other):
    """Phones, or words, to insert, delete or replace."""
    row = list(range(len(other) + 1))
    for i, phone in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, another in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (phone != another))
    return row[-1]


def apart(one, other):
    """The smallest distance of any pronunciation of the one from any of the other."""
    return min(distance(a, b) for a in one for b in other)


def choose(near, chance):
    """WORDS of `near`, none of which is near another; None where no try finds as many.

    Each try takes, again and again, the word that leaves most others possible; among those that tie, a random one.
    """
    for _ in range(TRIES):
        left, chosen = set(near), []
        while left:
            order = sorted(left)
            chance.shuffle(order)
            word = min(order, key=lambda one: len(near[one] & left))
            chosen.append(word)
            left -= near[word] | {word}
            if len(chosen) == WORDS:
                return sorted(chosen)
    return None


def main():
    """From the largest distance that can be reached."""
    parser = argparse.ArgumentParser(prog="words.challenge", description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=Path, help="model folder whose words must not be taken for these")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    lines = (line for line in CANDIDATES.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    names = sorted({word for line in lines for word in line.split()})
    observed = {word: [phones for _, phones in said] for word, said in lexicon.observe(names, []).items()}
    chosen_before = set(options.out.read_text(encoding="utf-8").split()) if options.out.exists() else set()
    requests = {
        word: [phones for _, phones in said]
        for word, said in lexicon.read(options.model / "lexicon.tsv").items()
        if word not in chosen_before and word not in observed
    }
    candidates = {
        word: said
        for word, said in observed.items()
        if all(PHONES_MIN <= len(phones) <= PHONES_MAX for phones in said)
        and all(apart(said, other) >= FROM_REQUESTS_MIN for other in requests.values())
    }
    print(f"{len(names)} candidates, {len(candidates)} of them of the right length and unlike any request's word")
    chance, between = random.Random(SEED), distances(candidates)
    for least in range(PHONES_MAX, 0, -1):
        for longest in range(PHONES_MIN, PHONES_MAX + 1):
            short = [word for word, said in candidates.items() if max(map(len, said)) <= longest]
            near = {one: {other for other in short if other != one and between[one][other] < least} for one in short}
            chosen = choose(near, chance) if len(short) >= WORDS else None
            if chosen:
                options.out.write_text(header(least) + "\n".join(chosen) + "\n", encoding="utf-8")
                print(f"{options.out}: {WORDS} words of at most {longest} phones, each at least {least} from every other")
                return
    sys.exit(f"words.challenge: fewer than {WORDS} candidates are left")


def distances(candidates):
    """Of every pair, both ways: {word: {word: distance}}."""
    between = {word: {} for word in candidates}
    for one in candidates:
        for other in candidates:
            if other not in between[one]:
                between[one][other] = between[other][one] = apart(candidates[one], candidates[other])
    return between


def header(least):
    """What the file says of itself."""
    return (
        "# Challenge words (jarvis_core::challenge), chosen by daemon/models/words/challenge.py: never edited by hand.\n"
        f"# least distance between two of them, in phones: {least}\n"
        f"# least distance from a word of a request, in phones: {FROM_REQUESTS_MIN}\n"
    )


if __name__ == "__main__":
    main()
