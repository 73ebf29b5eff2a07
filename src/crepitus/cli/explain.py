"""`crepitus explain`: relevance maps of a trained model, and how faithful they are."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crepitus.cli.common import JsonOption, end_with_rejected, needs_extra, print_json, progress, say
from crepitus.cli.inputs import open_inputs
from crepitus.cli.radius import RadiusMm, RadiusPx, RadiusRel, radius_of
from crepitus.errors import UsageError
from crepitus.explain.support import EXPLAINERS, explainers_of, support_table

if TYPE_CHECKING:
    from crepitus.data import DataSet
    from crepitus.evaluate.geometry import Radius
    from crepitus.explain.lrp import LrpRules
    from crepitus.explain.page import Page
    from crepitus.explain.run import ImageExplained
    from crepitus.explain.writer import ExplanationsWriter
    from crepitus.predict.model import Model

BODY_RULES = ("sign", "gamma", "epsilon")


def _list(value: bool) -> None:
    if value:
        sys.stdout.write(support_text())
        raise typer.Exit


def support_text() -> str:
    """Methods and explainers as a table of text, with the reasons below, at most 79 characters wide."""
    rows = support_table()
    width = max(len(name) for name, _ in rows)
    lines = [" ".join([f"{'method':{width}}", *EXPLAINERS])]
    for method, reasons in rows:
        cells = [f"{'-' if reason else 'yes':{len(name)}}" for name, reason in reasons.items()]
        lines.append(" ".join([f"{method:{width}}", *cells]).rstrip())
    grouped: dict[str, dict[str, list[str]]] = {}
    for method, reasons in rows:
        for name, reason in reasons.items():
            if reason:
                grouped.setdefault(reason, {}).setdefault(method, []).append(name)
    for reason, methods in grouped.items():
        explained = ", ".join(dict.fromkeys(name for names in methods.values() for name in names))
        named = ", ".join(methods) if len(methods) < len(rows) / 2 else "the others"
        text = f"no {explained} of {named}: {reason}"
        lines += ["", textwrap.fill(text, 79, subsequent_indent="  ", break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


def explain(
    model: Annotated[Path, typer.Argument(help="Run folder of a finished training.")],
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT…", help="A data set, or DICOM, PNG, JPEG files and folders."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of explanations to make.")],
    explainer: Annotated[
        str, typer.Option(help=f"Some of {', '.join(EXPLAINERS)}, with commas. Default: all that can.")
    ] = "",
    target: Annotated[
        str, typer.Option(help="What the maps speak for: fracture, or a class of the model.")
    ] = "fracture",
    split: Annotated[
        str | None, typer.Option(help="Only these images of the data set: train, val or test of the run.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first images.")] = None,
    lrp_rule: Annotated[
        str, typer.Option(help="Rule of LRP between pixels and classifier: sign, gamma or epsilon.")
    ] = "gamma",
    steps: Annotated[
        int, typer.Option(min=0, help="Steps of deletion and insertion, two predictions each; 0: none.")
    ] = 20,
    radius_px: RadiusPx = None,
    radius_mm: RadiusMm = None,
    radius_rel: RadiusRel = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Rounds over patients behind the intervals.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 4,
    list_: Annotated[
        bool,
        typer.Option("--list", callback=_list, is_eager=True, help="Which explainer explains which method."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Explain the answers of MODEL for INPUT: relevance maps, pictures, faithfulness."""
    with needs_extra("train", "crepitus explain"):
        import numpy as np

        from crepitus.explain.explainers import Explainer
        from crepitus.explain.page import Page
        from crepitus.explain.run import Measuring, explain_stream
        from crepitus.explain.writer import ExplanationsWriter
        from crepitus.predict.model import Model

    loaded = Model.load(model)
    rules = _rules(lrp_rule)
    names = _names(explainer, loaded)
    explainers = {n: Explainer(loaded.method, loaded.network, n, target, rules) for n in names}
    radius = radius_of(radius_px, radius_mm, radius_rel)
    stream, total, data = open_inputs(model, inputs, split, whole_studies=loaded.answers_studies, limit=limit)
    info = _info(loaded, target, rules, steps, radius, data)
    measuring = Measuring(data, radius, steps, batch_size)
    page = Page(info)
    rng = np.random.default_rng(seed)
    with ExplanationsWriter(out, info, rounds=bootstrap, rng=rng) as writer:
        found = explain_stream(loaded, stream, explainers, measuring, batch_size=batch_size)
        for one in progress(found, total, "explained"):
            if isinstance(one, tuple):
                writer.set_aside(*one)
            else:
                _add(writer, page, one, target, data)
        page.write(writer.root / "explain.html", writer.summary())
    say(f"{len(writer)} images explained by {', '.join(names)} into {out}; see {out / 'explain.html'}")
    if as_json:
        print_json(
            {"explained": len(writer), "set_aside": len(writer.rejected), "out": str(out)}
            | {"explainers": writer.summary()}
        )
    end_with_rejected(writer.rejected, out)


def _names(text: str, model: Model) -> list[str]:
    """The explainers asked for, or all that can explain the model."""
    method = model.method.name
    names = [name.strip() for name in text.split(",") if name.strip()] or list(explainers_of(method))
    if not names:
        # One refusal says why for all.
        names = [next(iter(EXPLAINERS))]
    return list(dict.fromkeys(names))


def _rules(name: str) -> LrpRules:
    """The rules of LRP with that one between pixels and classifier."""
    from crepitus.explain.lrp import LrpRules

    if name not in BODY_RULES:
        raise UsageError(f"--lrp-rule: expected one of {', '.join(BODY_RULES)}, got {name!r}")
    return LrpRules.model_validate({"body": name})


def _info(
    model: Model, target: str, rules: LrpRules, steps: int, radius: Radius, data: DataSet | None
) -> dict[str, Any]:
    """Content of explanations.json, but for the figures."""
    stored = model.predictions_info()
    return {
        **{key: stored[key] for key in ("model", "sha256", "preparation", "commit", "device")},
        "target": target,
        "lrp": rules.model_dump(),
        "steps": steps,
        "radius": None if data is None else {"value": radius.value, "unit": radius.unit},
    }


def _add(
    writer: ExplanationsWriter, page: Page, found: ImageExplained, target: str, data: DataSet | None
) -> None:
    """Take an image into the folder and onto the page."""
    image_id = found.image.image_id
    if data is None:
        page.add(found, writer.add(found, target))
        return
    pictures = writer.add(found, target, data.row(image_id)["patient_id"])
    points, boxes = data.points_by_image.get(image_id), data.fracture_boxes_by_image.get(image_id)
    page.add(found, pictures, points, boxes)
