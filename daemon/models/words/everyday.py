"""Sentences of `everyday.txt`, drawn at random: the order and the small words of ordinary talk.

Patterns of the intent files say what shall be understood, small words and all in any mixture ("the disk of on in for node two"); they say
little of what people say. A line of everyday.txt is `(a|b)` for a choice, `[a]` for what may be missing, `{node}` for a name.
"""

import random
import re

_PIECES = re.compile(r"[()\[\]|]|\{\w+\}|[^()\[\]|{}\s]+")
# What a slot may hold besides the names.
PERCENT = "percent"
_UNITS = "one two three four five six seven eight nine".split()
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety".split()
# "what is", said as one word so often.
CONTRACTED_SHARE = 0.6
_CONTRACTIONS = re.compile(r"\b(what|how|where|who|when|that|there|it|everything) is(?= \w)")


def parse(line):
    """A pattern: a list of words, `{slots}` and lists of alternatives."""
    pieces = _PIECES.findall(line)
    if "".join(pieces) != "".join(line.split()):
        raise ValueError(f"no pattern: {line}")
    pattern, rest = _alternatives(pieces, 0)
    if rest != len(pieces) or len(pattern) != 1:
        raise ValueError(f"brackets do not match, or a choice stands outside of them: {line}")
    return pattern[0]


def _alternatives(pieces, at):
    """Of what stands in brackets, up to the closing one: ([sequence], place after)."""
    alternatives = [[]]
    while at < len(pieces) and pieces[at] not in ")]":
        piece = pieces[at]
        at += 1
        if piece == "|":
            alternatives.append([])
        elif piece in "([":
            inside, at = _alternatives(pieces, at)
            if at == len(pieces) or pieces[at] != {"(": ")", "[": "]"}[piece]:
                raise ValueError(f"brackets do not match: {' '.join(pieces)}")
            # What may be missing is missing as often as not.
            alternatives[-1].append(inside + [[]] * len(inside) if piece == "[" else inside)
            at += 1
        else:
            alternatives[-1].append(piece)
    return alternatives, at


def draw(pattern, names, chance):
    """The words of one sentence; None where it needs a name of which there is none."""
    words = []
    for part in pattern:
        if isinstance(part, list):
            part = draw(chance.choice(part), names, chance)
        elif part == f"{{{PERCENT}}}":
            part = [_percent(chance)]
        elif part.startswith("{"):
            ways = names.get(part[1:-1])
            part = [chance.choice(chance.choice(ways))] if ways else None
        else:
            part = [part]
        if part is None:
            return None
        words += part
    return words


def sentences(lines, names, each, seed=3):
    """Every line `each` times. `names` are {sort: [ways to say one thing]}."""
    chance, made = random.Random(seed), []
    for pattern in map(parse, lines):
        for _ in range(each):
            words = draw(pattern, names, chance)
            if words:
                made.append(_contracted(" ".join(words), chance))
    return made


def _percent(chance):
    tens = chance.choice(_TENS)
    return f"{tens} {chance.choice(_UNITS)}" if tens != "ten" and chance.random() < 1 / 3 else tens


def _contracted(sentence, chance):
    short = lambda found: f"{found[1]}'s" if chance.random() < CONTRACTED_SHARE else found[0]
    return _CONTRACTIONS.sub(short, sentence)
