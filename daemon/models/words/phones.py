"""The phones of the acoustic model.

espeak-ng names more phones, and by accent; those are merged into 51 and silence. The number of a phone is fixed by its place in
BASE_PHONES, which the trained network's outputs follow: never reorder.
"""

# espeak-ng's name -> the espeak-ng name that stands for it too.
MERGED = {
    "@2": "@", "@5": "@", "@-": "@", "a#": "@", "VR": "3:", "IR": "3:", "I2": "I", "I#": "I", "i": "i:", "o@": "O@", "i@3": "i@",
    "aI3": "aI@", "aI2": "aI", "O2": "0", "r-": "r", "t2": "t", "t[": "t", "w#": "w", "?": "t", "n-": "n",
}

# espeak-ng's name -> ours.
NAMES = {
    "t": "T", "s": "S", "n": "N", "I": "IH", "d": "D", "k": "K", "r": "R", "@": "AX", "l": "L", "m": "M", "E": "EH", "z": "Z",
    "p": "P", "v": "V", "eI": "EY", "i:": "IY", "f": "F", "oU": "OW", "V": "AH", "0": "OH", "3": "AXR", "u:": "UW", "a": "AE",
    "b": "B", "aI": "AY", "D": "DH", "dZ": "JH", "w": "W", "A@": "AAR", "g": "G", "3:": "ER", "N": "NG", "h": "HH", "j": "Y",
    "S": "SH", "aU": "AW", "tS": "CH", "@L": "EL", "T": "TH", "O:": "AO", "O@": "AOR", "U": "UH", "aa": "BAT", "t#": "DX",
    "OI": "OY", "A:": "AA", "i@": "IA", "e@": "EA", "aI@": "AYA", "U@": "UA", "Z": "ZH",
}

SILENCE = "SIL"
BASE_PHONES = [SILENCE, *sorted(NAMES.values())]

# Where in its word a phone stands: the suffix, and Kaldi's word for it in word_boundary.int.
POSITIONS = [("B", "begin"), ("I", "internal"), ("E", "end"), ("S", "singleton")]


def base_phone(espeak_name):
    """Our phone for one of espeak-ng's; None where the acoustic model knows none (other languages' sounds)."""
    return NAMES.get(MERGED.get(espeak_name, espeak_name))


def is_silence(espeak_name):
    """Whether an espeak-ng phoneme is a pause."""
    return espeak_name.startswith("_")


def is_mark(espeak_name):
    """Whether it is a mark that sounds like nothing."""
    return espeak_name in ("", ";")


def phone_table():
    """Every phone with its position: [(name, place in BASE_PHONES, Kaldi's word boundary)]. Kaldi's phone id is the place + 1."""
    table = [(SILENCE, 0, "nonword")]
    for place, phone in enumerate(BASE_PHONES):
        if phone != SILENCE:
            table += [(f"{phone}_{suffix}", place, boundary) for suffix, boundary in POSITIONS]
    return table


def in_position(phones):
    """The phones of one word with their positions: ["Y", "EH", "S"] -> ["Y_B", "EH_I", "S_E"]."""
    if len(phones) == 1:
        return [phones[0] + "_S"]
    return [phones[0] + "_B", *(phone + "_I" for phone in phones[1:-1]), phones[-1] + "_E"]
