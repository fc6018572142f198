"""`python3 -m train.export NETWORK.npz MODEL`: writes the parts of a Vosk model folder that do not depend on its words.

`am/final.mdl` is Kaldi's binary form of a transition model and an nnet3 network. Kaldi itself is not needed, nor torch: only numpy.
"""

import argparse
import struct
from pathlib import Path

import numpy as np

from words.phones import phone_table

COEFFICIENTS = 40
# So the graph finds what it scales the network's word by, and so wide is the search: wide enough that the unknown word is not lost to
# the nearest known ones. Larger lattice beams make the lattice of the unknown word explode: at beam 13 and lattice beam 6 a single call
# took two minutes.
MODEL_CONF = {
    "min-active": 200,
    "max-active": 2000,
    "beam": "12.0",
    "lattice-beam": "3.0",
    "acoustic-scale": 0.7,
    "frame-subsampling-factor": 3,
    "endpoint.silence-phones": 1,
    "endpoint.rule2.min-trailing-silence": 0.5,
    "endpoint.rule3.min-trailing-silence": 0.75,
    "endpoint.rule4.min-trailing-silence": "1.0",
}
# As features.py has them.
MFCC_CONF = {
    "sample-frequency": 16_000,
    "use-energy": "false",
    "num-mel-bins": COEFFICIENTS,
    "num-ceps": COEFFICIENTS,
    "low-freq": 20,
    "high-freq": 7600,
    "dither": 0,
}
# An output that was hardly ever wanted would otherwise be worth too much when it is said.
PRIOR_MIN = 3e-5
# Batch normalisation's guard against division by nothing, as torch has it.
EPSILON = 1e-5


class KaldiWriter:
    """Kaldi's binary stream: tokens end in a blank, numbers say their size."""

    def __init__(self):
        self.bytes = bytearray(b"\0B")

    def token(self, name):
        """A word of the format."""
        self.bytes += name.encode() + b" "

    def integer(self, value):
        """32 bits."""
        self.bytes += b"\4" + struct.pack("<i", value)

    def float(self, value):
        """32 bits."""
        self.bytes += b"\4" + struct.pack("<f", value)

    def integers(self, values):
        """A std::vector of them."""
        self.bytes += b"\4" + struct.pack("<i", len(values)) + np.asarray(values, "<i4").tobytes()

    def vector(self, values):
        """A Kaldi vector of floats."""
        self.token("FV")
        self.integer(len(values))
        self.bytes += np.asarray(values, "<f4").tobytes()

    def matrix(self, values):
        """A compressed matrix: 16 bits a number, evenly from the smallest to the largest."""
        values = np.asarray(values, np.float32)
        least, span = float(values.min()), float(values.max()) - float(values.min())
        self.token("CM2")
        self.bytes += struct.pack("<ffii", least, span, *values.shape)
        self.bytes += np.clip(np.round((values - least) / span * 65_535), 0, 65_535).astype("<u2").tobytes()


def write_transitions(out, phones):
    """Every phone has two states: its first frame, and the later ones, in which it stays with a chance of one half."""
    out.token("<TransitionModel>")
    out.token("<Topology>")
    out.integers(list(range(1, len(phones) + 1)))
    out.integers([-1] + [0] * len(phones))
    out.integer(-1)  # the extended format, in which a state has a class on entering and another on staying
    out.integer(1)  # one topology for all
    out.integer(2)  # states
    for value in (0, 1, 2):  # entering: class 0, staying: class 1, two ways on
        out.integer(value)
    for next_state in (0, 1):
        out.integer(next_state)
        out.float(0.5)
    for value in (-1, -1, 0):  # the end has no class and no way on
        out.integer(value)
    out.token("</Topology>")
    out.token("<Tuples>")
    out.integer(len(phones))
    for number, (_, place, _) in enumerate(phones, 1):
        for value in (number, 0, 2 * place, 2 * place + 1):
            out.integer(value)
    out.token("</Tuples>")
    out.token("<LogProbs>")
    out.vector([0.0] + [np.log(0.5)] * (2 * len(phones)))
    out.token("</LogProbs>")
    out.token("</TransitionModel>")


def plan(layers):
    """How the components hang together, as nnet3 reads it."""
    lines, before = [f"input-node name=input dim={COEFFICIENTS}"], "input"
    for layer in range(layers):
        offsets = range(-4, 5) if layer == 0 else (-3, 0, 3)
        seen = ", ".join(before if offset == 0 else f"Offset({before}, {offset})" for offset in offsets)
        lines += [
            f"component-node name=l{layer}.affine component=l{layer}.affine input=Append({seen})",
            f"component-node name=l{layer}.relu component=l{layer}.relu input=l{layer}.affine",
        ]
        before = f"l{layer}.relu"
    return lines + [
        f"component-node name=out.affine component=out.affine input={before}",
        "component-node name=out.lsm component=out.lsm input=out.affine",
        "output-node name=output input=out.lsm objective=linear",
    ]


def write_network(out, arrays):
    """Affine and ReLU by turns. Each batch normalisation, being affine, is folded into the layer after it."""
    layers = sum(name.startswith("convolutions.") and name.endswith(".weight") for name in arrays)
    out.bytes += b"<Nnet3> \n" + "\n".join(plan(layers)).encode() + b"\n\n"
    out.token("<NumComponents>")
    out.integer(2 * layers + 2)
    scale = arrays["scale"].astype(float)
    shift = (-arrays["mean"] * arrays["scale"]).astype(float)
    for layer in range(layers):
        weight, bias = arrays[f"convolutions.{layer}.weight"], arrays[f"convolutions.{layer}.bias"]
        write_affine(out, f"l{layer}.affine", weight, bias, scale, shift)
        write_pointwise(out, f"l{layer}.relu", "RectifiedLinearComponent", len(bias))
        norm = {part: arrays[f"norms.{layer}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")}
        scale = (norm["weight"] / np.sqrt(norm["running_var"] + np.float32(EPSILON))).astype(float)
        shift = norm["bias"].astype(float) - scale * norm["running_mean"].astype(float)
    write_affine(out, "out.affine", arrays["output.weight"], arrays["output.bias"], scale, shift)
    write_pointwise(out, "out.lsm", "LogSoftmaxComponent", len(arrays["output.bias"]))
    out.token("</Nnet3>")


def write_affine(out, name, weight, bias, scale, shift):
    """A convolution [out, in, width] of what was first scaled and shifted, as one matrix over its spliced input."""
    weight = weight.astype(float)
    bias = bias.astype(float) + np.einsum("oiw,i->o", weight, shift)
    weight = (weight * scale[None, :, None]).transpose(0, 2, 1)
    out.token("<ComponentName>")
    out.token(name)
    out.token("<FixedAffineComponent>")
    out.token("<LinearParams>")
    out.matrix(weight.reshape(len(weight), -1))
    out.token("<BiasParams>")
    out.vector(bias)
    out.token("</FixedAffineComponent>")


def write_pointwise(out, name, kind, width):
    """A component without parameters; its statistics are empty."""
    out.token("<ComponentName>")
    out.token(name)
    out.token(f"<{kind}>")
    out.token("<Dim>")
    out.integer(width)
    for statistic in ("<ValueAvg>", "<DerivAvg>"):
        out.token(statistic)
        out.vector([])
    out.token("<Count>")
    out.float(0.0)
    out.token(f"</{kind}>")


def write_model(out, arrays):
    """All of final.mdl."""
    write_transitions(out, phone_table())
    write_network(out, arrays)
    layers = sum(name.startswith("norms.") and name.endswith(".weight") for name in arrays)
    context = 4 + 3 * (layers - 1)
    for side in ("<LeftContext>", "<RightContext>"):
        out.token(side)
        out.integer(context)
    out.token("<Priors>")
    priors = np.maximum(arrays["priors"] / arrays["priors"].sum(), PRIOR_MIN)
    out.vector(priors / priors.sum())


def main():
    """The graph and the words come after: `make words`."""
    parser = argparse.ArgumentParser(prog="train.export", description=__doc__.split("\n\n")[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    for folder in ("am", "conf", "graph/phones"):
        (options.model / folder).mkdir(parents=True, exist_ok=True)
    out = KaldiWriter()
    write_model(out, np.load(options.network))
    (options.model / "am/final.mdl").write_bytes(out.bytes)
    phones = list(enumerate(phone_table(), 1))
    texts = {
        "graph/phones.txt": "<eps> 0\n" + "".join(f"{name} {number}\n" for number, (name, _, _) in phones),
        "graph/phones/word_boundary.int": "".join(f"{number} {boundary}\n" for number, (_, _, boundary) in phones),
        "conf/mfcc.conf": "".join(f"--{key}={value}\n" for key, value in MFCC_CONF.items()),
        "conf/model.conf": "".join(f"--{key}={value}\n" for key, value in MODEL_CONF.items()),
    }
    for name, content in texts.items():
        (options.model / name).write_text(content, encoding="utf-8")
    print(f"{options.model}: {len(out.bytes)} bytes of acoustic model")


if __name__ == "__main__":
    main()
