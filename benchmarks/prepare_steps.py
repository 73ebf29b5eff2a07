"""Accuracy of each step of `crepitus prepare` on phantoms with faults, beside the thesis's heuristic."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crepitus.prepare import thesis
from crepitus.prepare.axis import limb_direction
from crepitus.prepare.body_part import parts_of
from crepitus.prepare.plan import Plan, look_at
from crepitus.prepare.polarity import is_inverted
from crepitus.prepare.split import split
from prepare_faults import framed, grey_background, inverted, joined, one_plate
from prepare_phantoms import Base, stored
from prepare_tags import planted_tags
from record import write_result

SEED = 43
"""Of the phantoms; the weights were fitted to others."""

KINDS = ("plain", "grey", "framed", "two parts", "two parts, framed")
WITHIN_DEG = 5.0


@dataclass(frozen=True)
class Case:
    """One image with its faults; `parts` holds each limb's base and where it lies (left, top)."""

    kind: str
    bright: NDArray[np.uint8]
    inverse: bool
    parts: tuple[tuple[Base, tuple[int, int]], ...]


def make_case(index: int, bases: list[Base], generator: np.random.Generator) -> Case:
    """Image `index`: its kind by turns, its limbs drawn; inverted with probability one half."""
    kind = KINDS[index % len(KINDS)]
    inverse = bool(generator.random() < 0.5)
    if not kind.startswith("two"):
        base = bases[int(generator.integers(len(bases)))]
        pixels, at = base.pixels, (0, 0)
        if kind == "grey":
            pixels = grey_background(generator, pixels)
        if kind == "framed":
            pixels, at = _framed(generator, pixels, inverse)
        return Case(kind, pixels, inverse, ((base, at),))
    upright = [base for base in bases if abs(base.angle) < 25]
    if generator.random() < 0.5:
        pair = [upright[int(i)] for i in generator.choice(len(upright), 2, replace=False)]
        both = (pair[0].bone, pair[1].bone)
        pixels, places = one_plate(generator, pair[0].pixels, pair[1].pixels, both)
    else:
        pair = [bases[int(i)] for i in generator.choice(len(bases), 2, replace=False)]
        pixels, places = joined(generator, pair[0].pixels, pair[1].pixels)
    if kind.endswith("framed"):
        pixels, (left, top) = _framed(generator, pixels, inverse)
        places = [(x + left, y + top) for x, y in places]
    return Case(kind, pixels, inverse, tuple(zip(pair, places, strict=True)))


def _framed(
    generator: np.random.Generator, pixels: NDArray[np.uint8], inverse: bool
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """A frame as the finished image will have it, also where the image is inverted before."""
    shown, at = framed(generator, inverted(pixels) if inverse else pixels)
    return (inverted(shown) if inverse else shown), at


def polarity_right(case: Case) -> tuple[bool, bool]:
    """Whether ours and the thesis's find the polarity."""
    shown = (inverted(case.bright) if case.inverse else case.bright).astype(np.float32) / 255
    return is_inverted(shown) == case.inverse, thesis.is_inverted(shown) == case.inverse


def split_right(case: Case) -> tuple[bool, bool]:
    """Whether there is one image for each limb, which shows 90 % of its bone and 10 % of no other's."""
    plan = Plan(look_at(case.bright), *case.bright.shape)
    return _divided(case, split(plan, "crepitus")), _divided(case, split(plan, "thesis"))


def _divided(case: Case, plans: list[Plan]) -> bool:
    if len(plans) != len(case.parts):
        return False
    shares = np.zeros((len(plans), len(case.parts)))
    for column, (base, (left, top)) in enumerate(case.parts):
        bone = np.zeros((*case.bright.shape,), np.uint8)
        rows, columns = np.nonzero(base.bone & 1)
        rows, columns = rows + top, columns + left
        keep = (rows >= 0) & (rows < bone.shape[0]) & (columns >= 0) & (columns < bone.shape[1])
        bone[rows[keep], columns[keep]] = 1
        for row, plan in enumerate(plans):
            shown = plan.render(bone * np.uint8(255)) > 0
            shares[row, column] = shown.sum() / max(int(bone.sum()), 1)
    owner = shares.argmax(axis=0)
    others = shares.sum(axis=0) - shares.max(axis=0)
    return len(set(owner.tolist())) == len(plans) and bool(
        (shares.max(axis=0) >= 0.9).all() and others.max() <= 0.1
    )


def rotation_errors(case: Case) -> tuple[float, float, float]:
    """Degrees between truth and ours, the thesis's, and the thesis's if the end did not matter."""
    picture, truth = case.bright.astype(np.float32) / 255, case.parts[0][0].angle
    ours, theirs = limb_direction(picture), thesis.limb_direction_by_components(picture)
    errors = [180.0 if d is None else abs((d - truth + 180) % 360 - 180) for d in (ours, theirs)]
    return errors[0], errors[1], min(errors[1], 180 - errors[1])


def filter_figures(count: int) -> dict[str, float]:
    """Precision and recall of the filter for wrists, and of looking for known words in the tag."""
    rng = np.random.default_rng(7)
    tags = planted_tags(rng, count)
    figures = {}
    known = ("WRIST", "MUÑECA", "MUNECA", "HANDGELENK", "POIGNET", "POLSO", "PUNHO", "CARPO", "HANDWURZEL")
    rules = {
        "ours": lambda t: "wrist" in parts_of(t),
        "known words in it": lambda t: any(word in t.upper() for word in known),
    }
    for name, rule in rules.items():
        found = [(rule(tag), part == "wrist") for tag, part in tags]
        hits = sum(a and b for a, b in found)
        figures[f"precision {name}"] = hits / max(1, sum(a for a, _ in found))
        figures[f"recall {name}"] = hits / max(1, sum(b for _, b in found))
        if name == "ours":
            wrong = [tag for (tag, _), (a, b) in zip(tags, found, strict=True) if a != b]
            print(f"tags judged wrongly: {wrong[:30]}")
    return figures


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("build/prepare-phantoms"))
    parser.add_argument("--bases", type=int, default=200, help="phantoms that the images are derived from")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    bases = stored(arguments.cache, SEED, arguments.bases)
    rng = np.random.default_rng(0)
    cases = [make_case(index, bases, rng) for index in range(arguments.count)]
    rows: dict[str, tuple[list[tuple[float, ...]], list[str]]] = {}
    for name, judge, chosen in (
        ("polarity", polarity_right, cases),
        ("split", split_right, cases),
        ("rotation", rotation_errors, [case for case in cases if len(case.parts) == 1]),
    ):
        rows[name] = ([judge(case) for case in chosen], [case.kind for case in chosen])
    figures: dict[str, object] = {"images": arguments.count, "phantoms": arguments.bases}
    for name, (values, kinds) in rows.items():
        array = np.array(values, dtype=np.float64)
        good = array <= WITHIN_DEG if name == "rotation" else array > 0
        for kind in ("all", *KINDS):
            mask = np.array([kind in ("all", k) for k in kinds])
            if mask.any():
                shares = [round(float(share), 4) for share in good[mask].mean(axis=0)]
                figures[f"{name}, {kind}"] = {"images": int(mask.sum()), "right": shares}
    filters = {name: round(float(value), 4) for name, value in filter_figures(arguments.count).items()}
    write_result(figures | {"filter": filters}, seed=SEED, out=arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
