"""`python3 -m train.variants FOLDER [--seed N]`: espeak-ng's data once more in FOLDER/espeak-ng-data, with voices in it that nobody made.

espeak-ng has some hundred variants, fewer than a network needs so as not to care who speaks. Each of these is a trained variant whose
formants, pitch and timbre were moved at random; held-out ones, and what is much like them, are never a beginning. Found through
ESPEAK_DATA_PATH.
"""

import argparse
import random
import shutil
from pathlib import Path

from .voices import INVENTED, TRAINED, TUNING, invented

DATA = Path("/usr/lib/x86_64-linux-gnu/espeak-ng-data")
VARIANTS = "voices/!v"
FORMANTS = range(9)


def moved(lines, name, chance):
    """The lines of a variant's file, moved; what it leaves open is sometimes filled in."""
    made, seen, size = ["language variant", f"name {name}"], set(), chance.uniform(0.92, 1.1)
    for line in lines:
        words = line.split("#")[0].split("//")[0].split()
        if not words or words[0] in ("name", "language", "gender"):
            continue
        seen.add(words[0] if words[0] != "formant" else " ".join(words[:2]))
        if words[0] == "formant" and len(words) > 2:
            made.append(" ".join([*words[:2], *_formant([float(value) for value in words[2:]], size, chance)]))
        elif words[0] == "pitch" and len(words) > 2:
            by = chance.uniform(0.8, 1.25)
            made.append(f"pitch {int(float(words[1]) * by)} {int(float(words[2]) * by * chance.uniform(0.9, 1.15))}")
        else:
            made.append(" ".join(words))
    return made + list(_left_open(seen, size, chance))


def _formant(values, size, chance):
    """Frequency, height, width, and an offset that stays."""
    if values[0] > 0:
        values[0] *= size * chance.gauss(1, 0.04)
    for place, spread in ((1, 0.15), (2, 0.12)):
        if place < len(values):
            values[place] *= chance.gauss(1, spread)
    return [str(int(value if place == 3 else max(0, value))) for place, value in enumerate(values)]


def _left_open(seen, size, chance):
    for number in FORMANTS:
        if f"formant {number}" not in seen and chance.random() < 0.7:
            frequency, height, width = size * chance.gauss(1, 0.06), chance.gauss(0.95, 0.2), chance.gauss(1, 0.2)
            yield f"formant {number} {int(100 * frequency)} {int(max(20, 100 * height))} {int(max(40, 100 * width))}"
    if "voicing" not in seen and chance.random() < 0.5:
        yield f"voicing {chance.randint(60, 160)}"
    if "consonants" not in seen and chance.random() < 0.5:
        yield f"consonants {chance.randint(55, 130)} {chance.randint(50, 130)}"
    if "tone" not in seen and chance.random() < 0.3:
        low, middle, high = ((80, 400, 150, 255), (600, 1500, 60, 140), (1800, 3000, 25, 100))
        bands = " ".join(f"{chance.randint(a, b)} {chance.randint(c, d)}" for a, b, c, d in (low, middle, high))
        yield f"tone {bands} 4500 {chance.randint(10, 60)}"
    if "flutter" not in seen and chance.random() < 0.3:
        yield f"flutter {chance.randint(0, 5)}"
    if "roughness" not in seen and chance.random() < 0.2:
        yield f"roughness {chance.randint(0, 4)}"


def main():
    """Those to train on first, then those to tune with."""
    parser = argparse.ArgumentParser(prog="train.variants", description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=42, help="another one gives other voices")
    options = parser.parse_args()
    data = options.folder / DATA.name
    shutil.copytree(DATA, data)
    chance = random.Random(options.seed)
    sources = [name for name in TRAINED if (data / VARIANTS / name).is_file()]
    for number in range(INVENTED + TUNING):
        lines = (data / VARIANTS / chance.choice(sources)).read_text(encoding="utf-8", errors="replace").splitlines()
        (data / VARIANTS / invented(number)).write_text("\n".join(moved(lines, invented(number), chance)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
