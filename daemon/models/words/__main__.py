"""`python3 -m words --base MODEL --sentences FILE --vocabulary FILE --out FOLDER`

Makes a model folder that hears other words with the same acoustic model: the default one from the intent files and the names of the
simulated cluster (`daemon/models/make_default.sh`), an owner's from the live names (`jarvisctl model words`).
"""

import argparse
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from . import decoding_graph, lexicon, text
from .espeak import EspeakMissing
from .language_model import LanguageModel

# Unchanged from the base model.
KEPT = ["am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph/phones.txt", "graph/phones/word_boundary.int", "phone_bigrams.tsv", "model.toml"]
HERE = Path(__file__).resolve().parent


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="words", description=__doc__.split("\n\n")[1])
    parser.add_argument("--base", type=Path, required=True, help="model folder whose acoustic model and pronunciations are used")
    parser.add_argument("--sentences", type=Path, required=True, help="requests, a line each, for the language model")
    parser.add_argument("--vocabulary", type=Path, required=True, help="words that must be hearable, a line each")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new model; put in place whole, or not at all")
    parser.add_argument("--relearn", action="store_true", help="observe every pronunciation anew, not only those of new words")
    return parser.parse_args()


def lines_of(path):
    """Its lines without comments and blank ones."""
    rows = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row]


def vocabulary_of(sentences, extra):
    """Every word of both; what the recogniser could not write is an error, not a silence."""
    words = {word for line in sentences + extra for word in line.split()} - {text.UNKNOWN}
    odd = sorted(word for word in words if not text.is_word(word))
    if odd:
        raise ValueError(f"words must be letters (numbers in words): {' '.join(odd[:20])}")
    return words


def pronunciations(words, sentences, spelled, known):
    """Those of the base model for its words, observed ones for the others."""
    new = words - set(known)
    observed = lexicon.observe(new, sentences, spelled) if new else {}
    return {word: known.get(word) or observed[word] for word in words}


def write_sums(folder):
    """SHA256SUMS, by which the worker finds a damaged model before the library does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    rows = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(rows), encoding="utf-8")


def main():
    """Builds beside the target and renames."""
    options = arguments()
    raw = lines_of(options.sentences)
    extra = lines_of(options.vocabulary) + lines_of(HERE / "always.txt")
    spelled = text.spelled_words(raw + extra)
    sentences = sorted({text.canonical(line) for line in raw})
    words = vocabulary_of(sentences, [text.canonical(line) for line in extra])
    known = {} if options.relearn else lexicon.read(options.base / "lexicon.tsv")
    with tempfile.TemporaryDirectory(prefix=".words-", dir=options.out.resolve().parent) as scratch:
        scratch = Path(scratch)
        model = scratch / "model"
        for name in KEPT:
            (model / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(options.base / name, model / name)
        said = pronunciations(words, sentences, spelled, known)
        lexicon.write(model / "lexicon.tsv", said)
        bigrams = decoding_graph.read_bigrams(options.base / "phone_bigrams.tsv")
        counts = decoding_graph.build(said, LanguageModel(sentences, words), bigrams, scratch, model / "graph")
        write_sums(model)
        if options.out.exists():
            options.out.rename(scratch / "before")
        model.rename(options.out)
    print(f"{options.out}: {counts['words']} words ({len(words - set(known))} new) from {len(sentences)} sentences, "
          f"{counts['lm_states']} language model states, {counts['hcl_arcs']} lexicon arcs")


if __name__ == "__main__":
    try:
        main()
    except (EspeakMissing, decoding_graph.ToolsMissing, ValueError, OSError) as error:
        sys.exit(f"words: {error}")
