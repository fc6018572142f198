"""What the synthetic voices said in the third stage: what people ask today."""

from words import everyday
from words.__main__ import EVERYDAY_EACH, HERE, NAMES, NATURAL, POSSIBLE, VOCABULARY, lines_of, names_of, words_of, writable

from .texts import Texts


class Requests:
    """What is said to the third stage: sentences and words of the corpus that the graph is made from, and what `Texts` has."""

    def __init__(self, corpus):
        names = names_of(lines_of(corpus / NAMES))
        talk = everyday.sentences(lines_of(HERE / "everyday.txt"), names, EVERYDAY_EACH)
        lines = (lines_of(corpus / POSSIBLE), lines_of(corpus / NATURAL), talk)
        self._possible, self._natural, self._talk = map(writable, lines)
        known = writable(lines_of(corpus / VOCABULARY)) + writable(lines_of(HERE / "frequent.txt"))
        self._words = sorted(words_of(self._possible + self._natural + self._talk + known))
        self._texts = Texts()

    def draw(self, chance):
        """One utterance."""
        draw = chance.random()
        if draw < 0.25:
            return chance.choice(self._possible)
        if draw < 0.4:
            return chance.choice(self._natural)
        if draw < 0.62:
            sentence = chance.choice(self._talk)
            return f"hey jarvis {sentence}" if chance.random() < 0.2 else sentence
        if draw < 0.82:
            return " ".join(chance.choice(self._words) for _ in range(chance.randint(2, 7)))
        return self._texts.draw(chance)
