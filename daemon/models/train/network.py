"""The acoustic model: six one-dimensional convolutions over time, 1.4 million parameters.

It sees 19 frames to each side (`CONTEXT`) and says the probability of each phone's first frame and of its later ones.
"""

import numpy as np
import torch
from torch import nn

from .features import COEFFICIENTS, OUTPUTS, STRIDE

CHANNELS, LAYERS = 288, 5
# Frames to each side: four of the first layer, three of each other one.
CONTEXT = 4 + 3 * LAYERS


class Network(nn.Module):
    """`mean` and `scale` bring the features to zero and one; they are fitted on the first shard."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(COEFFICIENTS))
        self.register_buffer("scale", torch.ones(COEFFICIENTS))
        first = nn.Conv1d(COEFFICIENTS, CHANNELS, 9, stride=STRIDE)
        self.convolutions = nn.ModuleList([first] + [nn.Conv1d(CHANNELS, CHANNELS, 3) for _ in range(LAYERS)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(CHANNELS, momentum=0.05) for _ in range(LAYERS + 1)])
        self.output = nn.Conv1d(CHANNELS, OUTPUTS, 1)
        self.dropout = nn.Dropout(0.05)

    def forward(self, features):
        """[batch, frames, COEFFICIENTS], with CONTEXT frames more at each side, to [batch, frames / STRIDE, OUTPUTS]."""
        seen = ((features - self.mean) * self.scale).transpose(1, 2)
        for convolution, norm in zip(self.convolutions, self.norms):
            seen = self.dropout(norm(torch.relu(convolution(seen))))
        return self.output(seen).transpose(1, 2)


def save(path, network, priors):
    """As arrays, which need neither torch nor its version to be read; `priors` counts how often each output was wanted."""
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    np.savez_compressed(path, priors=priors, **arrays)


def load(path):
    """Returns (network, priors)."""
    arrays = dict(np.load(path))
    priors, network = arrays.pop("priors"), Network()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    return network, priors
