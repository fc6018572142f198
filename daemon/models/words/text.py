"""Sentences and words as the recogniser writes them.

A spelled word ("p v e", "c p u") sounds the same as its letters, so it is one word to the recogniser, `pve`: two ways to write one
sound would only compete with each other.
"""

import re

UNKNOWN = "[unk]"

# "a" and "i" are words of their own: they are letters only in the spelled words that owners of a cluster say. The "s" of "what's" is
# no letter either.
_SPELLED = re.compile(r"(?<![\w'])(?:i [dop]|h a|[b-hj-z](?: [b-hj-z])+)(?![\w'])")
_WORD = re.compile(r"^[a-z][a-z'-]*$")

# Said as letters, as a word, or either, by different people (and by espeak-ng's accents).
ACRONYMS = set(
    "pve vm vms lxc lxcs cpu cpus dns nas ram zfs nfs ssd ssds ha id ids ip ips pbs vpn smb io os ok tv pc ups ceph iscsi ntp dhcp "
    "kvm qemu raid hdd".split()
)


# Two ways to write one sound: the left one is never written, so that they don't compete. tests/src/bench/ear.rs scores by the same table.
ONE_SPELLING = {
    "all right": "alright", "back up": "backup", "shut down": "shutdown", "ok": "okay", "oclock": "o'clock", "thankyou": "thank you",
    "nevermind": "never mind", "goodnight": "good night", "vm's": "vms", "cpu's": "cpus", "todays": "today's", "disc": "disk",
    "utilization": "utilisation", "centre": "center",
}
_SPELLINGS = re.compile(r"\b(" + "|".join(sorted(ONE_SPELLING, key=len, reverse=True)) + r")(?![\w'])")


def canonical(sentence):
    """Lower case, one blank between words, one spelling of a sound: "Is V M one all right" -> "is vm one alright"."""
    sentence = " ".join(sentence.lower().split()).replace(" '", "'")
    sentence = _SPELLINGS.sub(lambda match: ONE_SPELLING[match.group(0)], sentence)
    return _SPELLED.sub(lambda match: match.group(0).replace(" ", ""), sentence)


def is_word(word):
    """Whether the recogniser could write it: letters, apostrophes and hyphens."""
    return bool(_WORD.match(word))


def spoken_forms(word, spelled):
    """What to give espeak-ng for a word; `spelled` holds the words that somebody wrote as letters."""
    letters = word.replace("'", "")
    forms = []
    if word in ACRONYMS or word in spelled or not re.search("[aeiouy]", word):
        forms.append(" ".join(letters))
        if len(letters) > 2 and letters.endswith("s"):
            forms.append(" ".join(letters[:-1]) + "'s")  # "v m's": as people say the plural of letters
    if not (word in spelled and word not in ACRONYMS):
        forms.append(word)
    return forms


def spelled_words(sentences):
    """The words that `canonical` joined out of letters."""
    found = set()
    for sentence in sentences:
        for match in _SPELLED.finditer(" ".join(sentence.lower().split())):
            found.add(match.group(0).replace(" ", ""))
    return found
