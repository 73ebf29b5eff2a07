"""Copies of one exposure are found under what happens to files; other exposures of the same part are not."""

import cv2
import numpy as np
import pytest

from crepitus.data import duplicates as module
from crepitus.data.duplicates import (
    components,
    duplicate_groups,
    fingerprint,
    fingerprint_files,
    identical_groups,
    near_duplicates,
)
from crepitus.errors import Damaged


def limb(seed, rows=400, columns=300):
    """A bright bone on a dark field with texture and noise of its own: alike as a whole, not in detail."""
    generator = np.random.default_rng(seed)
    x = np.arange(columns, dtype=np.float32)[None, :]
    bone = 140 * np.exp(-(((x - columns / 2) / (columns / 6)) ** 2))
    texture = cv2.GaussianBlur(generator.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), 4)
    return np.clip(30 + bone + 25 * texture / texture.std(), 0, 255).astype(np.uint8)


def jpeg(pixels, quality=80):
    return cv2.imdecode(
        cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE
    )


def marked(pixels):
    copy = pixels.copy()
    copy[20:50, 20:60] = 255
    return copy


def overwritten(pixels):
    copy = pixels.copy()
    copy[-len(copy) // 4 :] = 90
    return copy


COPIES = {
    "recompressed": jpeg,
    "half the size": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "enlarged": lambda p: cv2.resize(p, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC),
    "another window": lambda p: np.clip(p * 0.6 + 40, 0, 255).astype(np.uint8),
    "16 bits": lambda p: p.astype(np.uint16) * 200,
    "a marker burnt in": marked,
    "a quarter overwritten": overwritten,
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_copies_are_found(change):
    others = [limb(seed) for seed in range(10, 16)]
    prints = [fingerprint(p) for p in [limb(1), *others, change(limb(1))]]
    assert [(i, j) for i, j, _ in near_duplicates(prints)] == [(0, 7)]
    assert duplicate_groups(prints) == [[0, 7]]
    assert identical_groups(prints) == []


def test_two_exposures_of_the_same_part_are_none():
    prints = [fingerprint(limb(seed)) for seed in range(30)]
    assert duplicate_groups(prints) == []


def test_identical_pixels():
    a, b = limb(1), limb(2)
    prints = [fingerprint(p) for p in (a, b, a.copy(), b, a)]
    assert identical_groups(prints) == [[0, 2, 4], [1, 3]]
    assert near_duplicates(prints) == []
    assert duplicate_groups(prints) == [[0, 2, 4], [1, 3]]
    # Same bytes in another shape or type are other pixels.
    square = np.zeros((4, 9), np.uint8)
    assert fingerprint(square).digest != fingerprint(square.reshape(9, 4)).digest
    assert fingerprint(square).digest != fingerprint(square.astype(np.uint16)).digest


def test_identical_and_near_join_into_one_group():
    a = limb(1)
    prints = [fingerprint(p) for p in (a, limb(2), jpeg(a), a)]
    assert duplicate_groups(prints) == [[0, 2, 3]]


def test_blank_images_are_not_near_duplicates():
    """Nothing says that two blank images, differing in one grey level, are the same exposure."""
    prints = [fingerprint(np.full((64, 64), value, np.uint8)) for value in (0, 1, 2)]
    assert duplicate_groups(prints) == []
    assert duplicate_groups([]) == []


def test_candidates_across_blocks_equal_all_pairs():
    """The blocked search against the definition, pair by pair."""
    generator = np.random.default_rng(0)
    words = generator.integers(0, 2**63, size=(40, 2), dtype=np.uint64)
    words[25] = words[3] ^ np.uint64(0b1011)
    words[39] = words[38]
    prints = [
        module.Fingerprint(str(k), w, np.zeros((128, 128), np.int8), (10, 10)) for k, w in enumerate(words)
    ]
    prints.append(module.Fingerprint("tall", words[38], np.zeros((128, 128), np.int8), (20, 10)))

    def bits(i, j):
        return sum(
            bin(int(a) ^ int(b)).count("1")
            for a, b in zip(prints[i].hash_bits, prints[j].hash_bits, strict=True)
        )

    expected = [(i, j) for i in range(40) for j in range(i + 1, 40) if bits(i, j) <= module.MAX_DISTANCE]
    assert sorted(module._candidates(prints, block=7)) == expected
    assert {(3, 25), (38, 39)} <= set(expected)


def test_files(tmp_path, save):
    pixels = save(tmp_path / "a.png", 1)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:200])
    good, cut, missing = fingerprint_files([tmp_path / n for n in ("a.png", "b.png", "c.png")])
    assert good.digest == fingerprint(pixels).digest
    assert good.shape == (48, 64)
    assert isinstance(cut, Damaged)
    assert isinstance(missing, Damaged)


def test_components():
    assert components(5, [(3, 1), (1, 4)]) == [[0], [1, 3, 4], [2]]
    assert components(2, []) == [[0], [1]]
