"""`crepitus prepare`: images brought to one polarity, one part each, one direction and one size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crepitus.cli.common import (
    JsonOption,
    RayOption,
    end_with_rejected,
    print_json,
    progress,
    say,
    workers_for,
)
from crepitus.errors import UsageError

if TYPE_CHECKING:
    from crepitus.prepare.body_part import Tag

SHOWN_TAGS = 20
"""As many as the thesis shows (figure 4.4)."""


def prepare(
    dataset: Annotated[str, typer.Argument(help="Data set folder; path or URL.", show_default=False)],
    out: Annotated[
        str,
        typer.Option(
            "--out", help="New data set folder, or one that was interrupted; path or URL.", show_default=False
        ),
    ],
    steps: Annotated[
        str | None,
        typer.Option(
            help="Steps by name, with commas: body-part, polarity, split, align, pad, resize, equalize. "
            "Default: polarity; body-part with --body-part; pad and resize with --size."
        ),
    ] = None,
    size: Annotated[int | None, typer.Option(min=16, max=8192, help="Longer side in pixels.")] = None,
    pad: Annotated[str | None, typer.Option(help="Aspect to pad to, WIDTH:HEIGHT. Default: 1:1.")] = None,
    body_part: Annotated[
        str | None,
        typer.Option(
            help="Keep images of this part, by their tag, in any of six languages; several with commas."
        ),
    ] = None,
    keep_untagged: Annotated[
        bool, typer.Option("--keep-untagged", help="Also keep images whose tag names no part.")
    ] = False,
    halves: Annotated[
        bool, typer.Option("--halves", help="Cut images of both hips into left and right half.")
    ] = False,
    heuristic: Annotated[
        str, typer.Option(help="crepitus, or thesis for the published baselines.")
    ] = "crepitus",
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: one per core.")] = 0,
    ray: RayOption = None,
    json_: JsonOption = False,
) -> None:
    """Prepare a data set; annotations follow, and the way back to each original pixel is kept.

    Images that cannot be used are set aside (exit status 3). Killed at any moment, the same command goes on.
    """
    from crepitus.prepare.body_part import wanted_parts
    from crepitus.prepare.pipeline import Recipe
    from crepitus.scale.commands import Means, prepare_anywhere

    names = _steps(steps, size, pad, body_part)
    parts = () if body_part is None else wanted_parts(body_part)
    recipe = Recipe(names, heuristic, _aspect(pad), size, parts, keep_untagged, halves)
    outcome = prepare_anywhere(
        dataset,
        recipe,
        out,
        Means(workers_for(workers, ray), ray, tell=say),
        watch=lambda records, total: progress(records, total, "prepare"),
    )
    for warning in outcome.warnings:
        say(f"warning: {warning}")
    if "body-part" in names:
        _say_tags(outcome.tags)
    if json_:
        print_json(
            {
                "out": str(out),
                "steps": list(names),
                "sources": outcome.sources,
                "images": outcome.images,
                "rejected": len(outcome.rejected),
                "resumed": outcome.resumed,
                "workers_replaced": outcome.workers_replaced,
                "warnings": outcome.warnings,
                "tags": [{"tag": t, "images": n, "parts": list(p)} for t, n, p in outcome.tags],
            }
        )
    else:
        typer.echo(f"{outcome.sources} images -> {outcome.images} prepared, {' '.join(names)} -> {out}")
    end_with_rejected(outcome.rejected, out)


def _say_tags(tags: list[Tag]) -> None:
    """The histogram of the body part tags, the most frequent first."""
    say(f"{len(tags)} body part tags:")
    for tag, count, parts in tags[:SHOWN_TAGS]:
        say(f"  {count:6}  {'(empty)' if tag is None else repr(tag)}  {' or '.join(parts) or 'unknown'}")
    if len(tags) > SHOWN_TAGS:
        say(
            f"  {sum(count for _, count, _ in tags[SHOWN_TAGS:]):6}  in {len(tags) - SHOWN_TAGS} further tags"
        )


def _steps(text: str | None, size: int | None, pad: str | None, body_part: str | None) -> tuple[str, ...]:
    if text is not None:
        return tuple(name.strip() for name in text.split(",") if name.strip())
    before = ["body-part"] if body_part else []
    after = [*(["pad"] if pad or size else []), *(["resize"] if size else [])]
    # Splitter and aligner err on real images and need a look at what they make: they are named or left out.
    return (*before, "polarity", *after)


def _aspect(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    width, _, height = text.partition(":")
    if not (
        width.isdecimal() and height.isdecimal() and 0 < int(width) < 10_000 and 0 < int(height) < 10_000
    ):
        raise UsageError(f"--pad: expected WIDTH:HEIGHT such as 1:1 or 341:512, got '{text}'")
    return int(width), int(height)
