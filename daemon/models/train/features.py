"""What the network sees (40 cepstral coefficients every 10 ms) and what it shall say of it (a phone's first frame or a later one, every
30 ms)."""

import math

import kaldi_native_fbank as knf
import numpy as np

from words.phones import BASE_PHONES, SILENCE

RATE_HZ = 16_000
COEFFICIENTS = 40
# Input frames per output frame; milliseconds of an input frame.
STRIDE, FRAME_S = 3, 0.010
# Middle of the first input frame, in seconds: frames are 25 ms long.
_FIRST_MIDDLE_S = 0.0125
OUTPUTS = 2 * len(BASE_PHONES)


def _options():
    """As graph and network expect them; export.py writes the same into conf/mfcc.conf."""
    options = knf.MfccOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = COEFFICIENTS
    options.mel_opts.low_freq = 20
    options.mel_opts.high_freq = 7600
    options.num_ceps = COEFFICIENTS
    options.use_energy = False
    return options


def cepstra(samples):
    """Kaldi's MFCC of floats of 16-bit size: one row of COEFFICIENTS every 10 ms."""
    computer = knf.OnlineMfcc(_options())
    computer.accept_waveform(RATE_HZ, np.asarray(samples, np.float32))
    computer.input_finished()
    frames = [computer.get_frame(n) for n in range(computer.num_frames_ready)]
    return np.stack(frames) if frames else np.zeros((0, COEFFICIENTS), np.float32)


def outputs_of(frames):
    """Output frames for so many input frames."""
    return (frames + STRIDE - 1) // STRIDE


def targets(segments, frames):
    """What the network shall say: 2n at the first output frame of phone n, 2n + 1 while it lasts. None where there is no room.

    `segments` are [(start in seconds, phone)] in order. Every phone gets a frame, if its neighbours must move for it.
    """
    count, names, starts = outputs_of(frames), [], []
    for start_s, phone in segments:
        if names and phone == SILENCE == names[-1]:
            continue
        names.append(phone)
        starts.append(max(0, math.ceil((start_s - _FIRST_MIDDLE_S) / (STRIDE * FRAME_S) - 0.5)))
    starts[0] = 0
    for n in range(1, len(starts)):
        starts[n] = max(starts[n], starts[n - 1] + 1)
    last = count
    for n in range(len(starts) - 1, -1, -1):
        last = min(starts[n], last - 1)
        starts[n] = last
    if starts[0] < 0:
        return None
    starts[0] = 0
    labels = np.zeros(count, np.int16)
    for n, (name, start) in enumerate(zip(names, starts)):
        end = starts[n + 1] if n + 1 < len(starts) else count
        phone = BASE_PHONES.index(name)
        labels[start:end] = 2 * phone + 1
        labels[start] = 2 * phone
    return labels


def in_uneven_tempo(features, segments, chance):
    """Faster and slower by turns: espeak-ng's durations are far too regular. Returns (features, segments)."""
    place, taken, until, speed = 0.0, [], 0, 1.0
    while place < len(features) - 0.5:
        if len(taken) >= until:
            speed, until = chance.uniform(0.72, 1.4), len(taken) + chance.randint(5, 25)
        taken.append(min(len(features) - 1, int(place)))
        place += speed
    taken = np.array(taken)
    moved = [(float(np.searchsorted(taken, start_s / FRAME_S)) * FRAME_S, phone) for start_s, phone in segments]
    return features[taken], moved
