"""What happens to a voice on its way to the network: microphones, rooms, noise. All of it at 16 kHz, as floats of 16-bit size.

Each function takes `rng`, a numpy generator, and gives sound of the length that it got.
"""

import math

import numpy as np
from scipy.signal import butter, fftconvolve, firwin2, lfilter

RATE_HZ = 16_000
# Against division by nothing.
TINY = 1e-9

NOISES = ["white", "pink", "brown", "coloured", "hum", "clicks", "babble", "mixed"]
NOISE_SHARES = [0.15, 0.2, 0.12, 0.15, 0.1, 0.08, 0.12, 0.08]
# How steeply the steady ones fall with frequency.
SLOPES = {"white": 0, "pink": 1, "brown": 2}
# Other people are never louder than this beneath the voice, in decibels: nobody could tell whom to hear.
BABBLE_SNR_MIN_DB = 12


def coloured(length, slope, rng):
    """Noise whose power falls with frequency to the power of `slope`: 0 white, 1 pink, 2 brown."""
    bins = (1 << (length - 1).bit_length()) // 2 + 1
    spectrum = rng.standard_normal(bins) + 1j * rng.standard_normal(bins)
    frequency = np.arange(bins)
    frequency[0] = 1
    return _unit(np.fft.irfft(spectrum / np.power(frequency, slope / 2))[:length])


def hum(length, rng):
    """Mains hum with overtones."""
    base = rng.choice([50, 60, 100, 120]) * rng.uniform(0.98, 1.02)
    time, sound = np.arange(length) / RATE_HZ, np.zeros(length)
    for overtone in range(1, rng.integers(3, 12)):
        sound += rng.uniform(0, 1) / overtone * np.sin(2 * np.pi * base * overtone * time + rng.uniform(0, 6.28))
    return _unit(sound)


def clicks(length, rng):
    """Keys, doors, dishes."""
    sound = np.zeros(length)
    for _ in range(max(1, int(length / RATE_HZ * rng.uniform(1, 6)))):
        start = rng.integers(0, length)
        lasts = min(rng.integers(30, 1200), length - start)
        fading = np.exp(-np.arange(lasts) / (lasts / 4 + 1))
        sound[start : start + lasts] += rng.standard_normal(lasts) * fading * rng.uniform(0.3, 2)
    return _unit(sound)


def with_noise(sound, snr_db, rng, kind=None, babble=None):
    """Noise beneath the voice, `snr_db` against its audible parts. `babble` is what somebody else says."""
    length, kind = len(sound), kind or rng.choice(NOISES, p=NOISE_SHARES)
    if kind in SLOPES:
        noise = coloured(length, SLOPES[kind], rng)
    elif kind == "coloured":
        noise = coloured(length, rng.uniform(0, 2), rng)
        noise *= 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 2) * np.arange(length) / RATE_HZ)  # it swells
    elif kind == "hum":
        noise = hum(length, rng) + 0.2 * coloured(length, 1, rng)
    elif kind == "clicks":
        noise = clicks(length, rng) + 0.1 * coloured(length, 1, rng)
    elif kind == "babble" and babble is not None and len(babble) > 100:
        noise = _unit(np.resize(babble, length).astype(float)) + 0.2 * coloured(length, 1, rng)
        snr_db = max(snr_db, BABBLE_SNR_MIN_DB)
    else:
        noise = coloured(length, 1, rng) + 0.5 * hum(length, rng)
    audible = np.abs(sound) > 1e-3 * np.max(np.abs(sound) + TINY)
    level = np.sqrt(np.mean(sound[audible] ** 2)) if audible.any() else 300
    return sound + _unit(noise) * level * 10 ** (-snr_db / 20)


def in_room(sound, reverberation_s, rng):
    """With the echo of a room: decaying noise, -2 to 12 dB beneath the direct sound."""
    length = int(RATE_HZ * min(reverberation_s, 1.0))
    time = np.arange(length) / RATE_HZ
    response = rng.standard_normal(length) * np.exp(-6.9 * time / reverberation_s)
    response[: int(rng.uniform(0.001, 0.008) * RATE_HZ)] = 0
    direct_db = rng.uniform(-2, 12)
    response *= math.sqrt(10 ** (-direct_db / 10) / (np.sum(response * response) + 1e-12))
    response[0] = 1.0
    return fftconvolve(sound, response)[: len(sound)]


def through_microphone(sound, rng):
    """A tilt, often a resonance or its opposite, seldom a telephone's band."""
    sound = lfilter([1, -rng.uniform(-0.4, 0.5)], [1], sound)
    if rng.random() < 0.5:
        frequency, sharpness = rng.uniform(200, 6000), rng.uniform(0.5, 0.85)
        angle = 2 * np.pi * frequency / RATE_HZ
        resonance = [1, -2 * sharpness * np.cos(angle), sharpness * sharpness]
        sound = lfilter([1], resonance, sound) if rng.random() < 0.5 else lfilter(resonance, [1], sound)
    if rng.random() < 0.15:
        band = [rng.uniform(80, 300) / (RATE_HZ / 2), rng.uniform(3200, 7500) / (RATE_HZ / 2)]
        sound = lfilter(*butter(2, band, "band"), sound)
    return sound


def through_equaliser(sound, rng):
    """A smooth random curve, up to 9 dB up and down over about ten bands."""
    frequency = np.concatenate([[0], np.sort(rng.uniform(100, 7800, 9)), [RATE_HZ / 2]]) / (RATE_HZ / 2)
    gain = 10 ** (rng.normal(0, 4.0, 11).clip(-9, 9) / 20)
    return fftconvolve(sound, firwin2(255, frequency, gain))[127 : 127 + len(sound)]


def _unit(sound):
    return sound / (np.std(sound) + TINY)
