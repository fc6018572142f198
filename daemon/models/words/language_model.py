"""The language model: a backoff model of up to four words, as an acceptor for OpenFst.

It is estimated on sentences of the intent grammar: on what its patterns make possible, so that every request can be heard, on what
people are likely to say, so that the likely is heard first, and on everyday sentences, whose small words stand where people put them. So
that speech which is no request does not come out as the nearest request, a share is repeated with words replaced by `[unk]`, which the
graph's phone loop can be. Before a request the wake word may stand, which the microphone's pre-roll holds.

The sentences are made, not collected: that one comes a thousand times says little, and that a word never follows another says less than
it would in collected text. So counts are tempered, shorter contexts count in how many longer ones a word was seen, and much is left to
words that were not seen (Witten-Bell).
"""

import collections
import math
import random

from .text import UNKNOWN

START, END = "<s>", "</s>"

# Words that a probability depends on, and the word itself.
ORDER = 4
# A count of n is worth n to the power of this.
TEMPER = 0.8
# Weight of what was not seen, in words seen once: the greater, the less is believed in longer contexts.
UNSEEN = 1.5
# What is rarer, in weighted sentences, is left to the shorter context; and so is what that knows nearly as well: nats, times the
# tempered count.
COUNT_MIN = {2: 1.0, 3: 1.5, 4: 2.5}
GAIN_MIN = 0.5
# Share of sentences repeated with unknown words in them, and of sentences that are nothing but unknown words.
UNKNOWN_SHARE, NOTHING_BUT_UNKNOWN_SHARE = 0.05, 0.05
# Unigram probability of an unknown word, and the floor under every known one.
UNKNOWN_PROBABILITY, WORD_FLOOR = 0.02, 1e-4
# What begins a sentence before the request, and how often (the rest begins with the request).
WAKE = [("hey jarvis", 0.45), ("jarvis", 0.05), ("okay jarvis", 0.02)]
# Longest run of unknown words in a sentence made for them.
_UNKNOWN_RUN_MAX = 7


class LanguageModel:
    """Counts of one to ORDER words, and what probability they give. `sources` are [(sentences, weight of each)]."""

    def __init__(self, sources, vocabulary, seed=99):
        chance = random.Random(seed)
        raw = {order: collections.defaultdict(collections.Counter) for order in range(2, ORDER + 1)}
        for sentences, weight in sources:
            for sentence in with_unknown_words(sentences, chance):
                words = [START, *sentence.split(), END]
                for order, histories in raw.items():
                    for end in range(1, len(words)):
                        first = end - order + 1
                        if first >= 0:
                            histories[tuple(words[first:end])][words[end]] += weight
        self.counts = _counts(raw)
        self.unigrams = self._unigrams(vocabulary)
        self._shares = {}
        for order in range(2, ORDER + 1):
            self._shares.update((history, _share(seen)) for history, seen in self.counts[order].items())
        self._prune()

    def _unigrams(self, vocabulary):
        counts = self.counts.pop(1)
        total = sum(counts.values())
        # In order: a set has another one in every process, and the graph would have another.
        for word in sorted(vocabulary):
            counts[word] += total * WORD_FLOOR
        counts[UNKNOWN] = total * UNKNOWN_PROBABILITY
        total = sum(counts.values())
        return {word: n / total for word, n in counts.items()}

    def probability(self, history, word):
        """Of `word` after up to ORDER - 1 words of history."""
        if not history:
            return self.unigrams.get(word, 0.0)
        share = self._shares.get(history)
        if share is None:
            return self.probability(history[1:], word)
        total, unseen = share
        return self.counts[len(history) + 1][history].get(word, 0.0) / total + unseen * self.probability(history[1:], word)

    def backoff(self, history):
        """What is left for words not seen after `history`."""
        return self._shares[history][1]

    def _prune(self):
        """Leaves out what the shorter context says nearly as well. Contexts that others lead to stay."""
        for order in range(ORDER, 2, -1):
            needed = {(longer[:-1], longer[-1]) for longer in self.counts.get(order + 1, {})}
            for history in list(self.counts[order]):
                seen, backoff = self.counts[order][history], self.backoff(history)
                kept = {
                    word: n
                    for word, n in seen.items()
                    if (history, word) in needed
                    or n * math.log(self.probability(history, word) / (backoff * self.probability(history[1:], word))) >= GAIN_MIN
                }
                if kept:
                    self.counts[order][history] = kept
                else:
                    del self.counts[order][history]
                    del self._shares[history]

    def known(self, history):
        """The longest end of `history` after which something was seen."""
        history = history[-(ORDER - 1) :]
        while history and history not in self._shares:
            history = history[1:]
        return history

    def write_acceptor(self, path, word_ids):
        """OpenFst's text form; `<eps>` arcs back off. Returns (states, arcs)."""
        states = {(): 0}
        arcs, finals = [], []

        def state(history):
            return states.setdefault(history, len(states))

        start, request = state("start"), state(self.known((START,)))
        arcs.append((start, request, word_ids["<eps>"], -math.log(1 - sum(share for _, share in WAKE))))
        for phrase, share in WAKE:
            here, cost = start, -math.log(share)
            words = phrase.split()
            for place, word in enumerate(words):
                there = request if place == len(words) - 1 else state((phrase, place))
                arcs.append((here, there, word_ids[word], cost))
                here, cost = there, 0.0
        for history in [(), *(history for order in range(2, ORDER + 1) for history in self.counts[order])]:
            here = state(history)
            for word in self.counts[len(history) + 1][history] if history else self.unigrams:
                cost = -math.log(self.probability(history, word))
                if word == END:
                    finals.append((here, cost))
                elif word != START:
                    arcs.append((here, state(self.known((*history, word))), word_ids[word], cost))
            if history:
                arcs.append((here, state(self.known(history[1:])), word_ids["<eps>"], -math.log(self.backoff(history))))
        with open(path, "w", encoding="utf-8") as out:
            for here, there, word, cost in sorted(arcs, key=lambda arc: arc[0] != start):
                out.write(f"{here} {there} {word} {word} {cost:.5f}\n")
            for here, cost in finals:
                out.write(f"{here} {cost:.5f}\n")
        return len(states), len(arcs)


def _counts(raw):
    """{order: {history: {word: tempered count}}}, and of order 1 {word: count}.

    Of the longest context it is the count; of a shorter one, in how many longer ones the word was seen, but at the beginning of a
    sentence, before which there is nothing.
    """
    counts, longer = {ORDER: raw[ORDER]}, raw[ORDER]
    for order in range(ORDER - 1, 1, -1):
        counts[order] = collections.defaultdict(collections.Counter)
        for history, seen in longer.items():
            for word in seen:
                counts[order][history[1:]][word] += 1
        for history, seen in raw[order].items():
            if history[0] == START:
                counts[order][history] = seen
        longer = raw[order]
    single = collections.Counter()
    for seen in raw[2].values():
        single.update(seen.keys())
    kept = {1: single}
    for order, histories in counts.items():
        kept[order] = {}
        for history, seen in histories.items():
            seen = {word: n**TEMPER for word, n in seen.items() if raw[order][history][word] >= COUNT_MIN[order]}
            if seen:
                kept[order][history] = seen
    return kept


def _share(seen):
    """(what counts are divided by, share of what was not seen)."""
    total, unseen = sum(seen.values()), UNSEEN * len(seen)
    return total + unseen, unseen / (total + unseen)


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
