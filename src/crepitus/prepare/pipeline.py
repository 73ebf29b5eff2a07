"""The steps of `crepitus prepare` in their order, applied to one image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from crepitus.errors import NotAssessable, UsageError
from crepitus.prepare.align import upright
from crepitus.prepare.assess import assess
from crepitus.prepare.body_part import PARTS, parts_of
from crepitus.prepare.body_part_words import ARMS, TRUNK, UNJUDGED
from crepitus.prepare.plan import GreyPixels, Plan, look_at
from crepitus.prepare.polarity import with_bright_bone
from crepitus.prepare.resize import padded, resized
from crepitus.prepare.split import halves, split

STEPS = ("body-part", "polarity", "split", "align", "pad", "resize", "equalize")
"""All steps, in the order in which they are applied, whatever the order they are named in.

Equalisation is last: a padded, resized image is equalised in less time, and repeating it changes nothing.
"""

ONCE = ("polarity", "split", "align")
"""Steps that judge a picture, and are not repeated where the column `prepared` names them."""

BOTH_HIPS = frozenset({"pelvis", "hip", "femur"})
"""Parts of which an image may show both sides at once."""

HEURISTICS = ("crepitus", "thesis")


@dataclass(frozen=True)
class Recipe:
    """Which steps are applied, and how.

    Attributes:
        steps: names of `STEPS`.
        heuristic: "crepitus", or "thesis" for the published baselines.
        aspect: (width, height) to pad to.
        size: longer side in pixels to resize to; None leaves the size.
        body_parts: names of `PARTS` to keep; empty keeps all.
        keep_untagged: keep images whose tag is empty or names no part that is known.
        halves: cut images of both hips in two.
    """

    steps: tuple[str, ...]
    heuristic: str = "crepitus"
    aspect: tuple[int, int] = (1, 1)
    size: int | None = None
    body_parts: tuple[str, ...] = ()
    keep_untagged: bool = False
    halves: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.steps if name not in STEPS]
        if unknown:
            raise UsageError(f"--steps: expected some of {', '.join(STEPS)}, got '{unknown[0]}'")
        if self.heuristic not in HEURISTICS:
            raise UsageError(f"--heuristic: expected crepitus or thesis, got '{self.heuristic}'")
        if "resize" in self.steps and self.size is None:
            raise UsageError("--steps resize: expected --size PIXELS beside it")
        if "body-part" in self.steps and not self.body_parts:
            raise UsageError("--steps body-part: expected --body-part PART beside it")
        if self.halves and "split" not in self.steps:
            raise UsageError("--halves: expected the step split")
        if wrong := [name for name in self.body_parts if name not in PARTS]:
            raise UsageError(f"--body-part: expected some of {', '.join(PARTS)}, got '{wrong[0]}'")


def plan_image(
    pixels: GreyPixels, recipe: Recipe, tag: str | None = None, done: tuple[str, ...] = ()
) -> list[Plan]:
    """What becomes of one image: one plan, or several where it shows several parts.

    Args:
        pixels: shape (rows, columns).
        recipe: the steps.
        tag: what the data set says about its body part.
        done: steps that an earlier run has applied.

    Raises:
        NotAssessable: the image is blank, or shows no bone.
    """
    steps = [name for name in STEPS if name in recipe.steps and not (name in ONCE and name in done)]
    look = look_at(pixels)
    assess(look.values)
    plans = [Plan(look, *pixels.shape)]
    suitable = [name for name in steps if _suits(name, tag, recipe)]
    for name in suitable:
        plans = [after for plan in plans for after in _apply(name, plan, tag, recipe)]
    names = tuple(name for name in STEPS if name in done or name in suitable)
    return [replace(plan, done=names) for plan in plans]


def check_body_part(tag: str | None, recipe: Recipe) -> None:
    """Refuse an image whose tag names none of the wanted parts; needs no pixels.

    Raises:
        NotAssessable: it is another body part, or the tag says nothing and such images are not kept.
    """
    if "body-part" not in recipe.steps:
        return
    wanted, found = set(recipe.body_parts), parts_of(tag or "")
    if found & wanted or (not found and recipe.keep_untagged):
        return
    expected = " or ".join(recipe.body_parts)
    if found:
        raise NotAssessable(
            f"another body part: expected {expected}, the tag {tag!r} is {' or '.join(sorted(found))}"
        )
    raise NotAssessable(
        f"body part unknown: expected {expected}, the tag {tag!r} names no part that is known"
    )


def _suits(name: str, tag: str | None, recipe: Recipe) -> bool:
    """Whether a step makes sense for the body part; where the tag says nothing, --body-part does."""
    found = parts_of(tag or "") or frozenset(recipe.body_parts)
    if name == "polarity":
        return not found or not found <= UNJUDGED
    if name == "align":
        return bool(found & ARMS)
    if name == "split" and not recipe.halves:
        return not found or not found <= TRUNK
    return True


def _apply(name: str, plan: Plan, tag: str | None, recipe: Recipe) -> list[Plan]:
    if name == "polarity":
        return [with_bright_bone(plan, recipe.heuristic)]
    if name == "split":
        found = parts_of(tag or "")
        if recipe.halves and (not found or found & BOTH_HIPS):
            return halves(plan)
        return split(plan, recipe.heuristic) if not found or not found <= TRUNK else [plan]
    if name == "align":
        return [upright(plan, recipe.heuristic)]
    if name == "pad":
        return [padded(plan, recipe.aspect)]
    if name == "resize" and recipe.size is not None:
        return [resized(plan, recipe.size, recipe.aspect if "pad" in recipe.steps else None)]
    if name == "equalize":
        return [replace(plan, equalize=True)]
    return [plan]
