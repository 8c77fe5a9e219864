#!/usr/bin/env python3
"""Writes tests/vectors: what the reference (PyPI package gguf) makes of every format.

    pip install numpy==2.4.6 gguf==0.19.0 && python3 quant/tests/vectors.py

NAME.decode  blocks of NAME, then the weights they decode to
NAME.encode  weights, then the blocks of NAME they encode to

Weights are f32; everything is little endian. The seed is fixed: the same files every time.
"""

from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize

# Offsets of the half precision numbers in a block: they must be finite.
HALVES = {
    "F16": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [], "BF16": [], "F32": [],
}
# Largest, smallest and zero of both signs, the smallest normal, one.
EXTREMES = [0x7BFF, 0xFBFF, 0x0001, 0x8001, 0x0000, 0x8000, 0x0400, 0x3C00]
ENCODED = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0"]

np.seterr(over="ignore")  # the largest MXFP4 weights are infinite
rng = np.random.default_rng(20)


def blocks(name, size):
    """Random blocks, after those of only zeros and only ones with extreme scales."""
    count = 16 if size > 64 else 64
    random = rng.integers(0, 256, (count, size), dtype=np.uint8)
    plain = np.repeat(np.array([[0], [255]], dtype=np.uint8), len(EXTREMES), axis=0)
    plain = np.broadcast_to(plain, (len(plain), size)).copy()
    for offset in HALVES[name]:
        plain[:, offset : offset + 2] = np.array(EXTREMES * 2, "<u2").view(np.uint8).reshape(-1, 2)
        high = random[:, offset + 1]
        random[:, offset + 1] = np.where((high & 0x7C) == 0x7C, high & 0xBF, high)
    if name == "MXFP4":
        random[:, 0] = np.linspace(0, 255, count)
    every = np.concatenate([plain, random])
    if name in ("F32", "BF16"):
        high = every[:, -1]
        every[:, -1] = np.where((high & 0x7F) == 0x7F, high & 0xBF, high)
    return every


def weights():
    """Rows of 32: of many magnitudes, ties of rounding, ties of magnitude, constants, zeros."""
    magnitudes = 10.0 ** np.arange(-6, 5).repeat(4)[:, None]
    random = rng.normal(size=(len(magnitudes), 32)) * magnitudes
    ties = rng.integers(-254, 255, (8, 32)) / 2
    ties[:, 0] = 127
    equals = np.where(rng.integers(0, 2, (4, 32)) == 0, 3.0, -3.0)
    rows = [random, ties, equals, np.full((1, 32), 0.7), np.full((1, 32), -5.0), np.zeros((1, 32))]
    return np.concatenate(rows).astype("<f4")


def main():
    folder = Path(__file__).parent / "vectors"
    for name in HALVES:
        kind = GGMLQuantizationType[name]
        raw = blocks(name, GGML_QUANT_SIZES[kind][1])
        decoded = dequantize(raw, kind).astype("<f4")
        (folder / f"{name}.decode").write_bytes(raw.tobytes() + decoded.tobytes())
    x = weights()
    for name in ENCODED:
        encoded = quantize(x, GGMLQuantizationType[name])
        (folder / f"{name}.encode").write_bytes(x.tobytes() + encoded.tobytes())


main()
