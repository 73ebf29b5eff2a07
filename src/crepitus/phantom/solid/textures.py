"""Tables of noise that all images share: trabeculae, roughness of fractures, smooth displacement."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.injuries.fracture import roughness_table
from crepitus.phantom.xray.project import Textures


def trabecular_texture(size: int = 64) -> NDArray[np.float32]:
    """Band-limited periodic noise, shape (size,) * 3, zero mean, unit variance, clipped to +-2.5."""
    generator = np.random.default_rng(20240229)
    f = np.fft.fftfreq(size)
    radius = np.sqrt(f[:, None, None] ** 2 + f[None, :, None] ** 2 + f[None, None, :] ** 2)
    band = np.exp(-(((radius - 0.13) / 0.1) ** 2)) * (radius > 0)
    noise = np.fft.ifftn(np.fft.fftn(generator.standard_normal((size,) * 3)) * band).real
    return np.asarray(np.clip(noise / noise.std(), -2.5, 2.5), dtype=np.float32)


def base_textures() -> Textures:
    """The tables that every image shifts; made once per process."""
    return Textures(trabecular_texture(), roughness_table(np.random.default_rng(7)))


@lru_cache(maxsize=4)
def smooth_noise(size: int = 32) -> NDArray[np.float32]:
    """Periodic noise of the longest waves, for surfaces and shapes, shape (size,) * 3, unit variance."""
    generator = np.random.default_rng(31)
    f = np.fft.fftfreq(size)
    radius = np.sqrt(f[:, None, None] ** 2 + f[None, :, None] ** 2 + f[None, None, :] ** 2)
    band = np.exp(-((radius / 0.12) ** 2)) * (radius > 0)
    noise = np.fft.ifftn(np.fft.fftn(generator.standard_normal((size,) * 3)) * band).real
    result = np.asarray(noise / noise.std(), dtype=np.float32)
    # One table for all callers; nobody may change it.
    result.setflags(write=False)
    return result
