"""Draws the pictures of docs/prepare.md: each step on a phantom with the fault that the step mends."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.generate import Request, make_image
from crepitus.prepare.align import turned, upright
from crepitus.prepare.body_part import histogram
from crepitus.prepare.equalize import equalized
from crepitus.prepare.plan import Plan, look_at
from crepitus.prepare.polarity import with_bright_bone
from crepitus.prepare.resize import padded, resized
from crepitus.prepare.split import halves, split
from prepare_faults import framed, grey_background, inverted, joined
from prepare_tags import planted_tags

Picture = NDArray[np.uint8]
HEIGHT, GAP = 260, 14


def plan_of(pixels: Picture) -> Plan:
    """A plan that does nothing yet."""
    return Plan(look_at(pixels), *pixels.shape)


def row(*groups: list[Picture]) -> Picture:
    """Groups of pictures, each of one height, with an arrow between the groups."""
    cells: list[Picture] = []
    for number, group in enumerate(groups):
        if number:
            arrow = np.full((HEIGHT, 60), 255, np.uint8)
            cv2.arrowedLine(arrow, (8, HEIGHT // 2), (52, HEIGHT // 2), 60, 3, cv2.LINE_AA, tipLength=0.35)
            cells.append(arrow)
        for pixels in group:
            height, width = pixels.shape
            ratio = min(HEIGHT / height, 1.7 * HEIGHT / width)
            size = (round(width * ratio), round(height * ratio))
            scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
            top = (HEIGHT - size[1]) // 2
            cells.append(
                cv2.copyMakeBorder(
                    scaled, top, HEIGHT - size[1] - top, GAP // 2, GAP // 2, cv2.BORDER_CONSTANT, value=255
                )
            )
    return np.hstack(cells)


def tags_picture() -> Picture:
    """The histogram of tags of a thousand planted ones: a bar each, and the part that was recognised."""
    tags = [tag for tag, _ in planted_tags(np.random.default_rng(3), 1000)]
    shown = [entry for entry in histogram(tags) if (entry[0] or "").isascii() or entry[1] > 0][:400:24][:14]
    canvas = np.full((22 * len(shown) + 16, 620), 255, np.uint8)
    for index, (tag, count, parts) in enumerate(shown):
        y = 22 * index + 24
        ascii_tag = (tag or "").encode("ascii", "replace").decode()
        cv2.putText(canvas, ascii_tag, (10, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0, 1, cv2.LINE_AA)
        cv2.rectangle(canvas, (290, y - 11), (290 + 12 * count, y), 120, -1)
        text = " or ".join(parts) or "unknown"
        cv2.putText(canvas, text, (430, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0, 1, cv2.LINE_AA)
    return canvas


def pictures() -> dict[str, Picture]:
    """Each picture by its step."""
    rng = np.random.default_rng(4)
    hand = make_image(Request("wrist", 5, 256), 0).radiograph.pixels
    other = make_image(Request("wrist", 6, 256), 4).radiograph.pixels
    pelvis = make_image(Request("pelvis", 2, 256), 0).radiograph.pixels
    wrong, _ = framed(rng, inverted(grey_background(rng, hand)))
    plate, _ = joined(np.random.default_rng(1), hand, other)
    lying = turned(plan_of(hand), 130).render(hand)
    narrow = hand[20:-10, 90:-20]
    small = resized(padded(plan_of(narrow), (1, 1)), 160, (1, 1))
    faint = (hand * 0.45 + 20).astype(np.uint8)
    return {
        "body-part": tags_picture(),
        "polarity": row([wrong], [with_bright_bone(plan_of(wrong), "crepitus").render(wrong)]),
        "split": row([plate], [p.render(plate) for p in split(plan_of(plate), "crepitus")]),
        "halves": row([pelvis], [p.render(pelvis) for p in halves(plan_of(pelvis))]),
        "align": row([lying], [upright(plan_of(lying), "crepitus").render(lying)]),
        "resize": row([narrow], [small.render(narrow)]),
        "equalize": row([faint], [equalized(faint)]),
    }


def main() -> int:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    for name, pixels in pictures().items():
        path = arguments.out / f"prepare-{name}.jpg"
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
