"""How far do networks fall that learned fractures from images with metal, and would relevance have told?

    python benchmarks/hardware_confounder.py --out build/hardware.json --pictures build/hardware

Each wrist phantom is made with and without metal. From the same persons come three training sets, in which
metal goes with the fracture at a correlation of 0, 0.5 and 0.9, as in `crepitus phantom wrist --hardware-
correlation`. Networks trained on each are judged on other persons: with the correlation of their training
("kept"), and with every person once with and once without metal ("cut"), where metal says nothing. Beside
that stand what layer-wise relevance propagation puts on the metal, as a share and with its sign, and what
the metal really does: the change of the answer between the two images of a person. Intervals are those of a
bootstrap over persons. Relevance would have told if its share on the metal exceeds that of the network that
learned without correlation by an interval above 0 (`minus_at_0`). Images and networks are kept in --work;
what is there is not made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from crepitus.evaluate.bootstrap import bootstrap, point_estimates
from crepitus.evaluate.classification import Ranking, auroc
from crepitus.evaluate.rates import ratio
from crepitus.explain.faithfulness import energy_inside
from crepitus.phantom.generate import Request
from hardware_images import Pairs, pairs
from hardware_pictures import plot, sheet
from hardware_training import relevance, scores, trained, write_data_set
from record import write_result

CORRELATIONS = (0.0, 0.5, 0.9)
METHODS = ("wrist-resnet18", "wrist-rx")
RIM_PX = 2
"""Metal and fracture are widened by so much: their edges are what networks see of them."""

Figures = dict[str, np.ndarray]


@dataclass(frozen=True)
class Answers:
    """What one network says about the test persons.

    Attributes:
        bare, metal: scores (n,) of the images without and with metal.
        maps: relevance of the images with metal, (n, side, side).
    """

    bare: np.ndarray
    metal: np.ndarray
    maps: np.ndarray


def widened(masks: np.ndarray) -> np.ndarray:
    """Masks (n, r, c) with a rim of `RIM_PX`."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM_PX + 1, 2 * RIM_PX + 1))
    return np.stack([cv2.dilate(mask.astype(np.uint8), kernel) for mask in masks]) > 0


def spread(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Share of the strength of relevance, of both signs, in each mask; NaN where undefined; (n,)."""
    return np.array([energy_inside(np.abs(m), mask) for m, mask in zip(maps, masks, strict=True)])


def logits(scores: np.ndarray) -> np.ndarray:
    """Logits of scores (n,), what relevance adds up to."""
    inside = np.clip(scores, 1e-6, 1 - 1e-6)
    return np.log(inside / (1 - inside))


def peaks(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Whether the strongest relevance of each map lies in its mask, 1 or 0; (n,)."""
    return np.array(
        [mask.ravel()[np.abs(m).argmax()] for m, mask in zip(maps, masks, strict=True)], dtype=float
    )


def per_image(test: Pairs, found: Answers) -> dict[str, np.ndarray]:
    """What is averaged over the persons, each (n,), NaN where undefined."""
    metal, line = widened(test.mask), widened(test.line)
    # A fracture under the metal cannot be told from it.
    line &= ~metal
    area = metal.mean(axis=(1, 2))
    on_metal, on_line = spread(found.maps, metal), spread(found.maps, line)
    return {
        "relevance_on_metal": on_metal,
        "area_of_metal": area,
        "relevance_over_area_of_metal": ratio(on_metal, area),
        "relevance_over_area_of_fracture": ratio(on_line, line.mean(axis=(1, 2))),
        "positive_relevance_on_metal": np.array(
            [energy_inside(m, mask) for m, mask in zip(found.maps, metal, strict=True)]
        ),
        "signed_relevance_on_metal": (found.maps * metal).sum(axis=(1, 2)),
        "logit_change_by_metal": logits(found.metal) - logits(found.bare),
        "strongest_on_metal": peaks(found.maps, metal),
        "score_change_by_metal": found.metal - found.bare,
        "score_change_by_metal_whole": np.where(test.label == 0, found.metal - found.bare, np.nan),
        "score_change_by_metal_broken": np.where(test.label == 1, found.metal - found.bare, np.nan),
    }


@dataclass(frozen=True)
class Judged:
    """Figures of one network for any weights of the persons.

    Attributes:
        rankings: by name, the scored images of an AUROC.
        values: by name, what is averaged over the persons, (n,).
    """

    rankings: dict[str, Ranking]
    values: dict[str, np.ndarray]

    @classmethod
    def of(cls, test: Pairs, correlation: float, found: Answers) -> Judged:
        """From the answers of a network that was trained at a correlation."""
        n = len(test.label)
        person, twice = np.arange(n), np.tile(np.arange(n), 2)
        kept = np.where(test.chosen(correlation), found.metal, found.bare)
        label, both = test.label, np.tile(test.label, 2)
        rankings = {
            "kept": Ranking.of(kept, label, person),
            "cut": Ranking.of(np.concatenate([found.bare, found.metal]), both, twice),
            "hardware_0": Ranking.of(found.bare, label, person),
            "hardware_1": Ranking.of(found.metal, label, person),
        }
        return cls(rankings, per_image(test, found))

    def figures(self, weights: np.ndarray) -> Figures:
        """Each figure, (rounds,), for weights (rounds, n)."""
        result = {f"auroc.{name}": auroc(*r.counts(weights)) for name, r in self.rankings.items()}
        result["auroc.fall"] = result["auroc.kept"] - result["auroc.cut"]
        for name, values in self.values.items():
            known = np.isfinite(values)
            result[name] = ratio(weights[:, known] @ values[known], weights[:, known].sum(axis=1))
        return result


@dataclass(frozen=True)
class Compared:
    """All networks of a method, and what differs from the one that learned without correlation."""

    networks: dict[float, Judged]

    def figures(self, weights: np.ndarray) -> Figures:
        """`<correlation>.<figure>`, and `<correlation>.<figure>.minus_at_0`; (rounds,) each."""
        found = {c: judged.figures(weights) for c, judged in self.networks.items()}
        result = {f"{c:g}.{name}": v for c, own in found.items() for name, v in own.items()}
        for c, own in found.items():
            if c:
                result |= {f"{c:g}.{name}.minus_at_0": v - found[0.0][name] for name, v in own.items()}
        return result


def judged(networks: dict[float, Judged], count: int, rounds: int, seed: int) -> dict[str, Any]:
    """Figures of all networks of a method with 95 % intervals."""
    compared = Compared(networks)
    figures = point_estimates([compared], count)
    drawn = bootstrap([compared], {}, count, rounds, np.random.default_rng(seed))
    result: dict[str, Any] = {}
    for name, value in figures.items():
        result[name] = value
        if name in drawn.intervals:
            result[f"{name}.ci95"] = list(drawn.intervals[name])
    return result


def answers(
    name: str, correlation: float, train: Callable[[], Pairs], test: Pairs, options: argparse.Namespace
) -> Answers:
    """Train a network, or take the one that is there, and ask it about the test persons."""
    data = options.work / f"data-{correlation:g}"
    if not (data / "dataset.json").is_file():
        write_data_set(train(), correlation, data)
    side = options.size // 2
    shape = (f"input.rows_px={side}", f"input.columns_px={side}")
    overrides = (f"training.epochs={options.epochs}", *shape, *options.set)
    model = trained(name, data, options.work / f"{name}-{correlation:g}", options.seed, overrides)
    maps = relevance(model, test.metal)
    return Answers(scores(model, test.bare), scores(model, test.metal), maps)


def arguments() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--train", type=int, default=800, help="persons of which networks learn")
    parser.add_argument("--test", type=int, default=200, help="persons on whom they are judged")
    parser.add_argument("--size", type=int, default=256, help="side of the phantoms; inputs have half of it")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--set", action="append", default=[], help="key=value of the configuration")
    parser.add_argument("--rounds", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--workers", type=int, default=1, help="processes that make images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("build/hardware"))
    parser.add_argument("--pictures", type=Path, help="folder for plot and overlays")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def main() -> None:
    """Make images, train, judge, draw, write."""
    options = arguments()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    def made(seed: int, count: int) -> Pairs:
        request = Request("wrist", seed, options.size, "easy", kind="colles")
        return pairs(request, count, 1, options.work / "images", options.workers)

    test = made(42 + 100 * options.seed, options.test)
    figures: dict[str, Any] = {
        "train_persons": options.train,
        "test_persons": len(test.label),
        "size": options.size,
        "epochs": options.epochs,
        "settings": options.set,
    }
    every: dict[str, dict[float, Answers]] = {}
    for name in METHODS:
        every[name] = {
            c: answers(name, c, lambda: made(41 + 100 * options.seed, options.train), test, options)
            for c in CORRELATIONS
        }
        networks = {c: Judged.of(test, c, found) for c, found in every[name].items()}
        figures[name] = judged(networks, len(test.label), options.rounds, options.seed)
    write_result(figures, seed=options.seed, out=options.out)
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        plot({name: figures[name] for name in METHODS}, options.pictures / "hardware-confounder.png")
        sheet(test, every, options.pictures / "hardware-overlays.jpg")


if __name__ == "__main__":
    main()
