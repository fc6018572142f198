"""HCLr.fst and Gr.fst: the two halves of a look-ahead graph, which libvosk composes as it listens.

HCL turns the acoustic model's transitions into words. It is built by hand, not by Kaldi: the phones have no context and two states
each, so that a trie of pronunciations is all there is to it. G is the language model. Kept apart they are small, and G can be
replaced while running by a grammar of a few phrases.
"""

import collections
import math
import os
import shutil
import subprocess
from pathlib import Path

from . import phones
from .text import UNKNOWN

EPSILON = "<eps>"
# The two halves in OpenFst's text form.
HCL_TEXT, G_TEXT = "hcl.txt", "g.txt"

# Chance of a pause after a word, and before the first one.
SILENCE_AFTER_WORD, SILENCE_AT_START = 0.3, 0.5
# Cost of entering the unknown word, in nats. Lower, and known words are lost to it; higher, and other speech becomes requests.
UNKNOWN_COST = 6.0
# Arcs of the unknown word that cost more are left out.
_UNKNOWN_ARC_MAX, _UNKNOWN_END_MAX = 7.5, 9.0

TOOLS = ["fstcompile", "fstarcsort", "fstconvert", "fstconnect", "fstrelabel"]
PACKAGES = "libfst-tools libfst22-plugins-base"


class ToolsMissing(Exception):
    """OpenFst's programs or their look-ahead plug-in are not installed."""


def plugin_folder():
    """Where Debian puts OpenFst's plug-ins, which its programs find by LD_LIBRARY_PATH alone."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    found = sorted(Path("/usr/lib").glob("*/fst/*/olabel_lookahead-fst.so")) + sorted(Path("/usr/lib").glob("*/fst/olabel_lookahead-fst.so"))
    if missing or not found:
        what = " and ".join(missing) or "OpenFst's look-ahead plug-in"
        raise ToolsMissing(f"{what} is missing: apt-get install {PACKAGES} (the number in the second name grows with Debian)")
    return found[0].parent


class Graph:
    """Arcs of HCL as they are laid."""

    def __init__(self, word_ids):
        self.word_ids = word_ids
        self.arcs, self.states = [], 0
        self._phone_ids = {name: place + 1 for place, (name, _, _) in enumerate(phones.phone_table())}
        self._word_ends = {}
        self.start, self.loop, self._silence = self.state(), self.state(), self.state()
        half = -math.log(SILENCE_AT_START)
        self.arc(self.start, self.loop, 0, EPSILON, half)
        self.enter(self.start, self._silence, phones.SILENCE, EPSILON, half)
        self.dwell(self._silence, phones.SILENCE)
        self.arc(self._silence, self.loop, 0, EPSILON, 0.0)

    def state(self):
        """A new one."""
        self.states += 1
        return self.states - 1

    def arc(self, here, there, transition, word, cost):
        """Any arc."""
        self.arcs.append((here, there, transition, self.word_ids[word], cost))

    def enter(self, here, there, phone, word, cost):
        """Into a phone: Kaldi's transition 2n is the first frame of phone n."""
        self.arc(here, there, 2 * self._phone_ids[phone], word, cost)

    def dwell(self, state, phone):
        """Stay in it: 2n - 1 is every further frame."""
        self.arc(state, state, 2 * self._phone_ids[phone] - 1, EPSILON, 0.0)

    def word_end(self, phone):
        """The state of a word's last phone, from which a pause or the next word follows."""
        if phone not in self._word_ends:
            state = self._word_ends[phone] = self.state()
            self.dwell(state, phone)
            self.arc(state, self.loop, 0, EPSILON, -math.log(1 - SILENCE_AFTER_WORD))
            self.enter(state, self._silence, phones.SILENCE, EPSILON, -math.log(SILENCE_AFTER_WORD))
        return self._word_ends[phone]

    def add_lexicon(self, lexicon):
        """A trie of all pronunciations. A word is put out as soon as its phones can be no other's: early partials, and good look-ahead."""
        entries, words_below = [], collections.defaultdict(set)
        for word, pronunciations in sorted(lexicon.items()):
            for weight, heard in pronunciations:
                heard = tuple(phones.in_position(heard))
                entries.append((word, -math.log(weight), heard))
                for depth in range(len(heard)):
                    words_below[heard[: depth + 1]].add(word)
        nodes = {(): self.loop}
        for word, cost, heard in entries:
            for depth in range(len(heard)):
                before, upto = heard[:depth], heard[: depth + 1]
                decided_here = len(words_below[upto]) == 1 and (depth == 0 or len(words_below[before]) > 1)
                if depth == len(heard) - 1:
                    put_out = word if decided_here or len(words_below[upto]) > 1 else EPSILON
                    self.enter(nodes[before], self.word_end(upto[-1]), upto[-1], put_out, cost)
                elif upto not in nodes:
                    nodes[upto] = self.state()
                    self.dwell(nodes[upto], upto[-1])
                    self.enter(nodes[before], nodes[upto], upto[-1], word if decided_here else EPSILON, 0.0)

    def add_unknown_word(self, bigrams):
        """`[unk]`: any three phones or more, as likely as English words have them in a row."""
        base = phones.BASE_PHONES[1:]
        cost = _bigram_cost(bigrams, base)
        inside = {}
        for place in ("B", "I"):
            for phone in base:
                inside[phone, place] = self.state()
                self.dwell(inside[phone, place], f"{phone}_{place}")
        for phone in base:
            self.enter(self.loop, inside[phone, "B"], phone + "_B", UNKNOWN, UNKNOWN_COST + cost("<", phone))
        for phone in base:
            for place in ("B", "I"):
                for following in base:
                    on = cost(phone, following)
                    if on < _UNKNOWN_ARC_MAX:
                        self.enter(inside[phone, place], inside[following, "I"], following + "_I", EPSILON, on)
                    out = on + cost(following, ">")
                    if place == "I" and out < _UNKNOWN_END_MAX:
                        self.enter(inside[phone, place], self.word_end(following + "_E"), following + "_E", EPSILON, out)

    def write(self, path):
        """OpenFst's text form, whose first line's state is the start."""
        with open(path, "w", encoding="utf-8") as out:
            for here, there, transition, word, cost in sorted(self.arcs, key=lambda arc: (arc[0] != self.start, arc[0])):
                out.write(f"{here} {there} {transition} {word} {cost:.5f}\n")
            out.write(f"{self.loop} 0\n")


def _bigram_cost(bigrams, base):
    """Witten-Bell: what a phone's followers leave over goes by how common a phone is at all."""
    single = collections.Counter()
    for followers in bigrams.values():
        single.update(followers)
    total = sum(single.values())

    def cost(before, after):
        seen = bigrams[before]
        kinds = len(seen)
        common = (single[after] + 0.5) / (total + 0.5 * len(base))
        return -math.log((seen[after] + kinds * common) / (sum(seen.values()) + kinds))

    return cost


def read_bigrams(path):
    """`before <TAB> after <TAB> count`; `<` and `>` are a word's edges."""
    bigrams = collections.defaultdict(collections.Counter)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            before, after, count = line.rstrip("\n").split("\t")
            bigrams[before][after] = int(count)
    return bigrams


def write_texts(lexicon, language_model, bigrams, work):
    """Both halves in OpenFst's text form, into `work`. Returns (word -> number, counts for people)."""
    words = [EPSILON, *sorted(lexicon), UNKNOWN]
    ids = {word: number for number, word in enumerate(words)}
    graph = Graph(ids)
    graph.add_lexicon(lexicon)
    graph.add_unknown_word(bigrams)
    graph.write(work / HCL_TEXT)
    states, arcs = language_model.write_acceptor(work / G_TEXT, ids)
    return ids, {"words": len(words) - 1, "hcl_arcs": len(graph.arcs), "lm_states": states, "lm_arcs": arcs}


def compile_graph(ids, work, folder):
    """Makes HCLr.fst, Gr.fst, words.txt and disambig_tid.int in `folder` of the texts in `work`.

    The look-ahead half renumbers the words; G and words.txt must follow.
    """
    environment = {**os.environ, "LD_LIBRARY_PATH": str(plugin_folder()), "OUT": str(folder)}

    def run(pipeline):
        subprocess.run(["bash", "-c", "set -o pipefail; " + pipeline], check=True, cwd=work, env=environment)

    run(
        f"fstcompile {HCL_TEXT} | fstarcsort --sort_type=olabel"
        ' | fstconvert --fst_type=olabel_lookahead --save_relabel_opairs=relabel > "$OUT/HCLr.fst"'
    )
    run(
        f"fstcompile {G_TEXT} | fstconnect | fstrelabel --relabel_ipairs=relabel --relabel_opairs=relabel"
        ' | fstarcsort --sort_type=ilabel | fstconvert --fst_type=const > "$OUT/Gr.fst"'
    )
    renamed = {0: 0}
    with open(work / "relabel", encoding="utf-8") as lines:
        renamed.update(tuple(map(int, line.split())) for line in lines)
    with open(folder / "words.txt", "w", encoding="utf-8") as out:
        for word in sorted(ids, key=lambda word: renamed[ids[word]]):
            out.write(f"{word} {renamed[ids[word]]}\n")
    (folder / "disambig_tid.int").write_text(f"{2 * len(phones.phone_table()) + 1}\n", encoding="utf-8")
