"""Identical and nearly identical images: one exposure stored twice, rescaled, re-windowed, overwritten.

Three steps, each on fewer pairs than the one before:
1. Identical pixels: equal SHA-256 of size, type and decoded pixels.
2. Candidates: the signs of the horizontal and vertical differences of a thumbnail of 9 x 9 cells (a hash
   of 128 bits by differences) differ in at most `MAX_DISTANCE` bits; all pairs of packed words are compared.
3. Verification on a thumbnail of 128 x 128: two radiographs of the same body part look alike as a whole, but
   only the same exposure agrees in its fine texture. Of the textured tiles of 16 x 16 (without the border,
   where one detector always looks the same), the share whose band-passed texture correlates above
   `TILE_CORRELATION` must reach `MIN_SHARE`.

Measured on FracAtlas (3,615 images, 6.5 million pairs), whose borderline pairs were looked at: two files of
one exposure have shares of 0.60 to 1, even with a third of the picture overwritten; others have at most 0.41.
Mirrored and rotated copies are not looked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from crepitus.data.images import GreyPixels, read_image
from crepitus.errors import SetAside

HASH_CELLS = 8
MAX_DISTANCE = 20
"""Bits of 128."""
THUMBNAIL = 128
TILE = 16
BAND_SIGMA = 4.0
"""Standard deviation, in thumbnail pixels, of the blur that is subtracted."""
TEXTURE_SCALE = 4.0
"""Steps per grey level in which the band-passed texture is kept."""
MIN_TEXTURE = 1.5
"""Standard deviation, in grey levels of 255, from which a tile counts as textured."""
MIN_TILES = 8
TILE_CORRELATION = 0.9
MIN_SHARE = 0.5
MAX_ASPECT_RATIO = 1.1
"""By how much the shapes of two copies may differ."""


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of one image, 16 KB.

    Attributes:
        digest: SHA-256 of size, type and pixels.
        hash_bits: shape (2,), uint64.
        texture: shape (128, 128), int8, band-passed thumbnail in steps of 1 / `TEXTURE_SCALE` grey levels.
        shape: (rows, columns) of the image.
        look: what a caller of `fingerprint_files` wanted to know besides, float32.
    """

    digest: str
    hash_bits: NDArray[np.uint64]
    texture: NDArray[np.int8]
    shape: tuple[int, int]
    look: NDArray[np.float32] | None = None


def fingerprint(pixels: GreyPixels) -> Fingerprint:
    """Fingerprint of pixels (rows, columns), uint8 or uint16."""
    rows, columns = pixels.shape
    digest = hashlib.sha256(f"{rows} {columns} {pixels.dtype.str}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    # INTER_AREA averages, so that the thumbnail does not depend on the resolution.
    thumbnail = cv2.resize(pixels, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    low, high = np.percentile(thumbnail, (0.5, 99.5))
    thumbnail = np.clip((thumbnail - low) * (255 / max(float(high - low), 1e-6)), 0, 255)
    band = (thumbnail - cv2.GaussianBlur(thumbnail, (0, 0), BAND_SIGMA)) * TEXTURE_SCALE
    return Fingerprint(
        digest=digest.hexdigest(),
        hash_bits=_difference_hash(thumbnail),
        texture=np.clip(np.rint(band), -127, 127).astype(np.int8),
        shape=(rows, columns),
    )


def _difference_hash(thumbnail: NDArray[np.float32]) -> NDArray[np.uint64]:
    cells = cv2.resize(thumbnail, (HASH_CELLS + 1, HASH_CELLS + 1), interpolation=cv2.INTER_AREA)
    right = cells[:HASH_CELLS, 1:] > cells[:HASH_CELLS, :-1]
    down = cells[1:, :HASH_CELLS] > cells[:-1, :HASH_CELLS]
    return np.packbits(np.concatenate([right.ravel(), down.ravel()])).view(np.uint64)


def fingerprint_files(
    files: Sequence[Path],
    *,
    verify: bool = False,
    workers: int = 4,
    watch: Callable[[Iterable[Path]], Iterable[Path]] = iter,
    look: Callable[[Path, GreyPixels], NDArray[np.float32]] | None = None,
) -> list[Fingerprint | SetAside]:
    """Fingerprints of image files, in order; the error in place of one that cannot be read.

    Args:
        files: PNG or JPEG files.
        verify: also find files that end early behind an end marker, see `read_image`.
        workers: threads.
        watch: wraps `files`, to show progress.
        look: what else to compute from each image, so that it is decoded once.
    """

    def one(file: Path) -> Fingerprint | SetAside:
        try:
            pixels = read_image(file, verify=verify)
            found = fingerprint(pixels)
            return found if look is None else replace(found, look=look(file, pixels))
        except SetAside as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        return [result for _, result in zip(watch(files), pool.map(one, files), strict=True)]


def identical_groups(prints: Sequence[Fingerprint]) -> list[list[int]]:
    """Positions of images with identical pixels, groups of at least two, in order of their first."""
    groups: dict[str, list[int]] = {}
    for index, item in enumerate(prints):
        groups.setdefault(item.digest, []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def near_duplicates(prints: Sequence[Fingerprint]) -> list[tuple[int, int, float]]:
    """Pairs (i, j, share of agreeing tiles), i < j, of images that are nearly, but not fully, identical.

    Of images with identical pixels only the first is compared.
    """
    first: dict[str, int] = {}
    for index, item in enumerate(prints):
        first.setdefault(item.digest, index)
    chosen = np.array(sorted(first.values()), dtype=np.int64)
    pairs = []
    for i, j in _candidates([prints[k] for k in chosen]):
        a, b = prints[chosen[i]], prints[chosen[j]]
        share = texture_agreement(a, b)
        if share >= MIN_SHARE:
            pairs.append((int(chosen[i]), int(chosen[j]), share))
    return pairs


def _candidates(prints: Sequence[Fingerprint], block: int = 256) -> Iterable[tuple[int, int]]:
    """Pairs of images whose hashes and shapes are close; n^2 / 2 comparisons of two words, vectorized."""
    if len(prints) < 2:
        return
    bits = np.stack([item.hash_bits for item in prints])
    aspect = np.log([item.shape[1] / item.shape[0] for item in prints])
    for start in range(0, len(prints), block):
        rows = slice(start, start + block)
        distance = np.bitwise_count(bits[rows, None, 0] ^ bits[None, start:, 0])
        distance += np.bitwise_count(bits[rows, None, 1] ^ bits[None, start:, 1])
        for i, j in np.argwhere(distance <= MAX_DISTANCE):
            if i < j and abs(aspect[start + i] - aspect[start + j]) <= np.log(MAX_ASPECT_RATIO):
                yield start + int(i), start + int(j)


def texture_agreement(a: Fingerprint, b: Fingerprint) -> float:
    """Share of the inner textured tiles of two images whose texture correlates above `TILE_CORRELATION`.

    Zero where fewer than `MIN_TILES` tiles have texture: nothing then says that they are the same.
    """
    tiles_a, tiles_b = _tiles(a.texture), _tiles(b.texture)
    norm_a, norm_b = np.linalg.norm(tiles_a, axis=1), np.linalg.norm(tiles_b, axis=1)
    # A tile of TILE x TILE pixels with standard deviation s has the norm s * TILE.
    textured = np.maximum(norm_a, norm_b) > MIN_TEXTURE * TILE * TEXTURE_SCALE
    if int(textured.sum()) < MIN_TILES:
        return 0.0
    products = (tiles_a * tiles_b).sum(axis=1)
    agree = products > TILE_CORRELATION * norm_a * norm_b
    return float((agree & textured).sum() / textured.sum())


def _tiles(texture: NDArray[np.int8]) -> NDArray[np.float32]:
    """Inner tiles, each with its mean removed, shape (tiles, TILE * TILE)."""
    inner = texture[TILE:-TILE, TILE:-TILE].astype(np.float32)
    count = THUMBNAIL // TILE - 2
    tiles = inner.reshape(count, TILE, count, TILE).transpose(0, 2, 1, 3).reshape(count * count, TILE * TILE)
    centred: NDArray[np.float32] = tiles - tiles.mean(axis=1, keepdims=True)
    return centred


def duplicate_groups(prints: Sequence[Fingerprint]) -> list[list[int]]:
    """Positions of images that belong together, identical or nearly so: connected components of size >= 2."""
    edges = [(group[0], other) for group in identical_groups(prints) for other in group[1:]]
    edges += [(i, j) for i, j, _ in near_duplicates(prints)]
    return [group for group in components(len(prints), edges) if len(group) > 1]


def components(count: int, edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Connected components of `count` nodes, each sorted, in order of their first node."""
    if not edges:
        return [[node] for node in range(count)]
    ends = np.array(edges, dtype=np.int64)
    graph = coo_array((np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    groups: dict[int, list[int]] = {}
    for node, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(node)
    return list(groups.values())
