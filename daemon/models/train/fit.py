"""`python3 -m train.fit SHARDS OUT.npz [--from NETWORK.npz] [--held-out SHARDS]`: trains the network.

The learning rate follows the number of steps and every random source has its seed, so that a run can be repeated.
"""

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from .features import COEFFICIENTS, OUTPUTS, outputs_of
from .network import CONTEXT, Network, load, save

SEED = 0
# Frames of a batch, silence included that fills its shorter utterances up.
BATCH_FRAMES = 8_000
# The rate falls by a hundred over the run, after a short rise.
RATE_FALL, WARM_UP_STEPS = 100, 200
GRADIENT_MAX, WEIGHT_DECAY = 5.0, 1e-3
# A random offset of the cepstra, as another microphone would give, for half of the batches.
OFFSET_SHARE, OFFSETS = 0.5, [2.0] + [0.8] * (COEFFICIENTS - 1)
# No label: what fills an utterance up.
NO_LABEL = -100


def read(path):
    """[(features, labels)] of a shard."""
    arrays, utterances, at, label_at = np.load(path), [], 0, 0
    features, labels = arrays["features"].astype(np.float32), arrays["labels"].astype(np.int64)
    for frames in arrays["frames"]:
        count = outputs_of(frames)
        utterances.append((features[at : at + frames], labels[label_at : label_at + count]))
        at, label_at = at + frames, label_at + count
    return utterances


def batches(utterances, chance):
    """Of utterances of about one length, in random order."""
    made, batch, longest = [], [], 0
    for one in sorted(utterances, key=lambda one: len(one[0]) + chance.random() * 20):
        longest = max(longest, len(one[0]))
        if batch and longest * (len(batch) + 1) > BATCH_FRAMES:
            made.append(batch)
            batch, longest = [], len(one[0])
        batch.append(one)
    chance.shuffle(made)
    return made + [batch]


def tensors(batch):
    """Utterances side by side, their first and last frames repeated as context."""
    count = max(len(labels) for _, labels in batch)
    width = 3 * (count - 1) + 1 + 2 * CONTEXT
    seen, wanted = np.empty((len(batch), width, COEFFICIENTS), np.float32), np.full((len(batch), count), NO_LABEL, np.int64)
    for place, (features, labels) in enumerate(batch):
        seen[place] = features[np.clip(np.arange(width) - CONTEXT, 0, len(features) - 1)]
        wanted[place, : len(labels)] = labels
    return torch.from_numpy(seen), torch.from_numpy(wanted)


def loss_of(network, seen, wanted):
    """Mean over the labelled frames, and how many of them are right."""
    said = network(seen)
    right = ((said.argmax(-1) == wanted) & (wanted != NO_LABEL)).sum() / (wanted != NO_LABEL).sum()
    return functional.cross_entropy(said.reshape(-1, OUTPUTS), wanted.reshape(-1), ignore_index=NO_LABEL), right.item()


def judge(network, utterances):
    """(loss, share of frames that are right), both weighted by frames."""
    network.eval()
    with torch.no_grad():
        rows = [(*loss_of(network, seen, wanted), (wanted != NO_LABEL).sum().item()) for seen, wanted in map(tensors, batches(utterances, random.Random(SEED)))]
    network.train()
    frames = sum(n for _, _, n in rows)
    return sum(loss.item() * n for loss, _, n in rows) / frames, sum(right * n for _, right, n in rows) / frames


def train(network, shards, passes, rate, held_out, keep):
    """`passes` over all shards; `keep(network, priors)` after each."""
    chance, priors, step = random.Random(SEED), np.zeros(OUTPUTS), 0
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    # Batches differ a little from pass to pass; the first pass counts for all.
    steps = passes * sum(len(batches(read(path), chance)) for path in shards)
    network.train()
    for number in range(passes):
        for path in chance.sample(shards, len(shards)):
            for seen, wanted in map(tensors, batches(read(path), chance)):
                done = min(1.0, step / steps)
                for group in optimiser.param_groups:
                    group["lr"] = rate * RATE_FALL**-done * min(1, (step + 1) / WARM_UP_STEPS)
                if chance.random() < OFFSET_SHARE:
                    seen = seen + torch.randn(len(seen), 1, COEFFICIENTS) * seen.new_tensor(OFFSETS)
                loss, right = loss_of(network, seen, wanted)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_MAX)
                optimiser.step()
                step += 1
                priors += np.bincount(wanted[wanted != NO_LABEL].numpy(), minlength=OUTPUTS)
            print(f"pass {number + 1}/{passes} {path.name} step {step}/{steps} loss {loss.item():.3f} right {right:.3f}", flush=True)
        if held_out:
            print("held-out voices: loss {:.3f}, right {:.3f}".format(*judge(network, held_out)), flush=True)
        keep(network, priors)


def main():
    """From nothing, or from a trained network."""
    parser = argparse.ArgumentParser(prog="train.fit", description=__doc__.split("\n\n")[0])
    parser.add_argument("shards", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--from", dest="start", type=Path, help="a trained network to go on from")
    parser.add_argument("--held-out", type=Path)
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--rate", type=float, default=2e-3)
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # the sum of many threads differs from run to run
    shards = sorted(options.shards.glob("[0-9]*.npz"))
    held_out = [one for path in sorted(options.held_out.glob("[0-9]*.npz")) for one in read(path)] if options.held_out else []
    if options.start:
        network, _ = load(options.start)
    else:
        network, seen = Network(), np.concatenate([features for features, _ in read(shards[0])])
        network.mean[:] = torch.from_numpy(seen.mean(0))
        network.scale[:] = torch.from_numpy(1 / seen.std(0))

    def keep(network, priors):
        unfinished = options.out.with_name("." + options.out.name)
        save(unfinished, network, priors)
        unfinished.rename(options.out)

    train(network, shards, options.passes, options.rate, held_out, keep)


if __name__ == "__main__":
    main()
