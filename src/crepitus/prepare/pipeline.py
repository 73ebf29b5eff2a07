"""The steps of `crepitus prepare` in their order, applied to one image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from crepitus.errors import UsageError
from crepitus.prepare.plan import GreyPixels, Plan, look_at
from crepitus.prepare.polarity import with_bright_bone
from crepitus.prepare.resize import padded, resized

STEPS = ("body-part", "polarity", "split", "align", "pad", "resize", "equalize")
"""All steps, in the order in which they are applied, whatever the order they are named in.

Equalisation is last: a padded, resized image is equalised in less time, and repeating it changes nothing.
"""

ONCE = ("polarity", "split", "align")
"""Steps that judge a picture, and are not repeated where the column `prepared` names them."""

HEURISTICS = ("crepitus", "thesis")


@dataclass(frozen=True)
class Recipe:
    """Which steps are applied, and how.

    Attributes:
        steps: names of `STEPS`.
        heuristic: "crepitus", or "thesis" for the published baselines.
        aspect: (width, height) to pad to.
        size: longer side in pixels to resize to; None leaves the size.
    """

    steps: tuple[str, ...]
    heuristic: str = "crepitus"
    aspect: tuple[int, int] = (1, 1)
    size: int | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.steps if name not in STEPS]
        if unknown:
            raise UsageError(f"--steps: expected some of {', '.join(STEPS)}, got '{unknown[0]}'")
        if self.heuristic not in HEURISTICS:
            raise UsageError(f"--heuristic: expected crepitus or thesis, got '{self.heuristic}'")
        if "resize" in self.steps and self.size is None:
            raise UsageError("--steps resize: expected --size PIXELS beside it")


def plan_image(pixels: GreyPixels, recipe: Recipe, done: tuple[str, ...] = ()) -> list[Plan]:
    """What becomes of one image: one plan, or several where it shows several parts.

    Args:
        pixels: shape (rows, columns).
        recipe: the steps.
        done: steps that an earlier run has applied.

    Raises:
        NotAssessable: the image is blank, or shows no bone.
    """
    steps = [name for name in STEPS if name in recipe.steps and not (name in ONCE and name in done)]
    plans = [Plan(look_at(pixels), *pixels.shape)]
    for name in steps:
        plans = [after for plan in plans for after in _apply(name, plan, recipe)]
    return [replace(plan, done=_joined(done, recipe.steps)) for plan in plans]


def _apply(name: str, plan: Plan, recipe: Recipe) -> list[Plan]:
    if name == "polarity":
        return [with_bright_bone(plan, recipe.heuristic)]
    if name == "pad":
        return [padded(plan, recipe.aspect)]
    if name == "resize" and recipe.size is not None:
        return [resized(plan, recipe.size, recipe.aspect if "pad" in recipe.steps else None)]
    if name == "equalize":
        return [replace(plan, equalize=True)]
    return [plan]


def _joined(done: tuple[str, ...], steps: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in STEPS if name in done or name in steps)
