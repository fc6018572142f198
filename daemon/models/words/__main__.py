"""`python3 -m words --base MODEL --corpus FOLDER (--out FOLDER | --check)`

Makes a model folder that hears other words with the same acoustic model: the default one from the intent files and the names of the
simulated cluster (`make words`), an owner's from the live names (`jarvisctl model words`). With --check it makes nothing, and says
whether MODEL is what would be made.
"""

import argparse
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from . import decoding_graph, everyday, lexicon, text
from .espeak import EspeakMissing
from .language_model import LanguageModel

# Unchanged from the base model.
KEPT = ["am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph/phones.txt", "graph/phones/word_boundary.int", "phone_bigrams.tsv", "model.toml"]
# What of the corpus is what (`jarvis_core::intent::Corpus`): requests of every possible wording; what people are likely to say, where
# repeats count; words that must be hearable. A line each. And a line for each thing: its sort, and the ways to say it, between tabs.
POSSIBLE, NATURAL, VOCABULARY, NAMES = "sentences", "natural", "vocabulary", "names"
# So often a sentence of each counts: `everyday.txt` is the least of them, and says most of how people talk.
POSSIBLE_WEIGHT, NATURAL_WEIGHT, EVERYDAY_WEIGHT = 1, 2, 8
# Sentences of each line of `everyday.txt`.
EVERYDAY_EACH = 40
# Digests of what the graph was made from. The compiled graph itself differs between versions of OpenFst, this does not.
MADE_FROM = "graph/made_from.sha256"
HERE = Path(__file__).resolve().parent


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="words", description=__doc__.split("\n\n")[1])
    parser.add_argument("--base", type=Path, required=True, help="model folder whose acoustic model and pronunciations are used")
    parser.add_argument("--corpus", type=Path, required=True, help=f"folder of the files {POSSIBLE}, {NATURAL}, {VOCABULARY} and {NAMES}")
    parser.add_argument("--relearn", action="store_true", help="observe every pronunciation anew, not only those of new words")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, help="folder of the new model; put in place whole, or not at all")
    what.add_argument("--check", action="store_true", help="end with status 1 where the base model is not what would be made")
    return parser.parse_args()


def lines_of(path):
    """Its lines without comments and blank ones."""
    rows = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row]


def names_of(lines):
    """{sort: [ways to say one thing]}."""
    names = {}
    for sort, *ways in (line.split("\t") for line in lines):
        names.setdefault(sort, []).append(ways)
    return names


def writable(lines):
    """The lines in their one spelling, without those that hold something the recogniser could never write (digits)."""
    lines = [text.canonical(line) for line in lines]
    return [line for line in lines if all(word == text.UNKNOWN or text.is_word(word) for word in line.split())]


def words_of(lines):
    """Every word of them."""
    return {word for line in lines for word in line.split()} - {text.UNKNOWN}


def pronunciations(words, sentences, spelled, known):
    """Those of the base model for its words, observed ones for the others."""
    new = words - set(known)
    observed = lexicon.observe(new, sentences, spelled) if new else {}
    return {word: known.get(word) or observed[word] for word in words}


def digests(*paths):
    """As `sha256sum` writes them."""
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths)


def write_sums(folder):
    """SHA256SUMS, by which the worker finds a damaged model before the library does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    rows = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(rows), encoding="utf-8")


def check(base, new, made_from):
    """Whether `base` is what would be made; ends the program where it is not."""
    if new:
        sys.exit(f"{base} does not know these words yet: {' '.join(sorted(new))}")
    known = base / MADE_FROM
    if not known.is_file() or known.read_text(encoding="utf-8") != made_from:
        sys.exit(f"{base} knows every word, but its graph was made from other sentences")
    print(f"{base} is what its sources make")


def main():
    """Builds beside the target and renames."""
    options = arguments()
    names = names_of(lines_of(options.corpus / NAMES))
    files = [*(options.corpus / name for name in (POSSIBLE, NATURAL, VOCABULARY)), HERE / "always.txt", HERE / "frequent.txt"]
    raw = [*map(lines_of, files), everyday.sentences(lines_of(HERE / "everyday.txt"), names, EVERYDAY_EACH)]
    spelled = text.spelled_words(line for lines in raw for line in lines)
    possible, natural, vocabulary, always, frequent, talk = (writable(lines) for lines in raw)
    possible = sorted(set(possible))
    sentences = possible + natural + always + talk
    words = words_of(sentences + vocabulary + frequent)
    known = {} if options.relearn else lexicon.read(options.base / "lexicon.tsv")
    new = words - set(known)
    if options.check and new:
        check(options.base, new, None)
    if options.out:
        decoding_graph.plugin_folder()  # what is missing is told before half a minute of work
    said = pronunciations(words, sentences, spelled, known)
    with tempfile.TemporaryDirectory(prefix=".words-", dir=None if options.check else options.out.resolve().parent) as scratch:
        scratch = Path(scratch)
        model = scratch / "model"
        for name in KEPT:
            (model / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(options.base / name, model / name)
        lexicon.write(model / "lexicon.tsv", said)
        bigrams = decoding_graph.read_bigrams(options.base / "phone_bigrams.tsv")
        sources = [(possible, POSSIBLE_WEIGHT), (natural + always, NATURAL_WEIGHT), (talk, EVERYDAY_WEIGHT)]
        ids, counts = decoding_graph.write_texts(said, LanguageModel(sources, words), bigrams, scratch)
        made_from = digests(model / "lexicon.tsv", scratch / decoding_graph.HCL_TEXT, scratch / decoding_graph.G_TEXT)
        if options.check:
            return check(options.base, new, made_from)
        decoding_graph.compile_graph(ids, scratch, model / "graph")
        (model / MADE_FROM).write_text(made_from, encoding="utf-8")
        write_sums(model)
        if options.out.exists():
            options.out.rename(scratch / "before")
        model.rename(options.out)
    print(f"{options.out}: {counts['words']} words ({len(new)} new) from {len(sentences)} sentences, "
          f"{counts['lm_states']} language model states, {counts['hcl_arcs']} lexicon arcs")


if __name__ == "__main__":
    try:
        main()
    except (EspeakMissing, decoding_graph.ToolsMissing, ValueError, OSError) as error:
        sys.exit(f"words: {error}")
