"""The language model: a backoff trigram with absolute discounting, as an acceptor for OpenFst.

It is estimated on sentences of the intent grammar: on what its patterns make possible, so that every request can be heard, and on what
people are likely to say, so that the likely is heard first. Half of them begin with the wake word, which the microphone's pre-roll
holds. So that speech which is no request does not come out as the nearest request, a share is repeated with words replaced by
`[unk]`, which the graph's phone loop can be.
"""

import collections
import math
import random

from .text import UNKNOWN

START, END = "<s>", "</s>"

# Taken off every count and given to what was not seen.
DISCOUNT = 0.7
# A trigram seen less often is left to the bigram: the graph stays small.
TRIGRAM_COUNT_MIN = 2
# Share of sentences repeated with unknown words in them, and of sentences that are nothing but unknown words.
UNKNOWN_SHARE, NOTHING_BUT_UNKNOWN_SHARE = 0.05, 0.05
# Unigram probability of an unknown word, and the floor under every known one.
UNKNOWN_PROBABILITY, WORD_FLOOR = 0.02, 1e-4
# What begins a sentence before the request, and how often (the rest begins with the request).
WAKE = [("hey jarvis", 0.45), ("jarvis", 0.05), ("okay jarvis", 0.02)]
# So often a likely sentence counts.
NATURAL_WEIGHT = 2
# Longest run of unknown words in a sentence made for them.
_UNKNOWN_RUN_MAX = 7


class LanguageModel:
    """Counts of one, two and three words, and what probability they give."""

    def __init__(self, possible, natural, vocabulary, seed=99):
        chance = random.Random(seed)
        sentences = [as_heard(sentence, chance) for sentence in possible + natural * NATURAL_WEIGHT]
        self.counts = {order: collections.defaultdict(collections.Counter) for order in (1, 2, 3)}
        for sentence in with_unknown_words(sentences, chance):
            self._count(sentence.split())
        self._drop_rare_trigrams()
        self.unigrams = self._unigrams(vocabulary)
        self._totals = {
            history: sum(seen.values()) for order in (2, 3) for history, seen in self.counts[order].items()
        }

    def _count(self, words):
        words = [START, *words, END]
        for i in range(1, len(words)):
            self.counts[1][()][words[i]] += 1
            self.counts[2][(words[i - 1],)][words[i]] += 1
            if i > 1:
                self.counts[3][(words[i - 2], words[i - 1])][words[i]] += 1

    def _drop_rare_trigrams(self):
        for history in list(self.counts[3]):
            kept = {word: n for word, n in self.counts[3][history].items() if n >= TRIGRAM_COUNT_MIN}
            if kept:
                self.counts[3][history] = collections.Counter(kept)
            else:
                del self.counts[3][history]

    def _unigrams(self, vocabulary):
        counts = self.counts[1][()]
        total = sum(counts.values())
        # In order: a set has another one in every process, and the graph would have another.
        for word in sorted(vocabulary):
            counts[word] += max(3, int(total * WORD_FLOOR))
        counts[UNKNOWN] = int(total * UNKNOWN_PROBABILITY)
        total = sum(counts.values())
        return {word: n / total for word, n in counts.items()}

    def probability(self, history, word):
        """Of `word` after up to two words of history."""
        if not history:
            return self.unigrams.get(word, 0.0)
        seen = self.counts[len(history) + 1].get(history)
        if not seen:
            return self.probability(history[1:], word)
        own = max(seen[word] - DISCOUNT, 0) / self._totals[history] if word in seen else 0.0
        return own + self.backoff(history) * self.probability(history[1:], word)

    def backoff(self, history):
        """What is left for words not seen after `history`."""
        return DISCOUNT * len(self.counts[len(history) + 1][history]) / self._totals[history]

    def known(self, history):
        """The longest end of `history` after which something was seen."""
        while history and history not in self.counts[len(history) + 1]:
            history = history[1:]
        return history

    def write_acceptor(self, path, word_ids):
        """OpenFst's text form; `<eps>` arcs back off. Returns (states, arcs)."""
        states = {(): 0}
        arcs, finals = [], []

        def state(history):
            return states.setdefault(history, len(states))

        start = state(self.known((START,)))
        for history in [(), *self.counts[2], *self.counts[3]]:
            here = state(history)
            for word in self.counts[len(history) + 1][history] if history else self.unigrams:
                cost = -math.log(self.probability(history, word))
                if word == END:
                    finals.append((here, cost))
                elif word != START:
                    arcs.append((here, state(self.known((*history, word)[-2:])), word_ids[word], cost))
            if history:
                arcs.append((here, state(self.known(history[1:])), word_ids["<eps>"], -math.log(self.backoff(history))))
        with open(path, "w", encoding="utf-8") as out:
            for here, there, word, cost in sorted(arcs, key=lambda arc: arc[0] != start):
                out.write(f"{here} {there} {word} {word} {cost:.5f}\n")
            for here, cost in finals:
                out.write(f"{here} {cost:.5f}\n")
        return len(states), len(arcs)


def as_heard(sentence, chance):
    """With the wake word in front, as often as the microphone brings it."""
    draw = chance.random()
    for phrase, share in WAKE:
        draw -= share
        if draw < 0:
            return f"{phrase} {sentence}"
    return sentence


def with_unknown_words(sentences, chance):
    """The sentences, a share of them once more with unknown words, and some of nothing else."""
    yield from sentences
    for sentence in sentences:
        if chance.random() < UNKNOWN_SHARE:
            words = sentence.split()
            words[chance.randrange(len(words))] = UNKNOWN
            yield " ".join(words)
    for _ in range(int(len(sentences) * NOTHING_BUT_UNKNOWN_SHARE)):
        yield " ".join([UNKNOWN] * chance.randint(1, _UNKNOWN_RUN_MAX))
