"""`crepitus phantom`: synthetic radiographs with truth as a data set folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crepitus.cli.common import JsonOption, print_json, progress, say
from crepitus.cli.plain_help import Command
from crepitus.errors import UsageError

if TYPE_CHECKING:
    from crepitus.dicom.encoding import Encoding
    from crepitus.phantom.generate import Request, Sample


class PhantomCommand(Command):
    """Names what there is to choose from in its help, and only there: loading it takes a second."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help with the names of scenes, presets, kinds and encodings."""
        known = _choices()
        for parameter in self.params:
            choices = known.get(parameter.name or "")
            text: str = getattr(parameter, "help", None) or ""
            if choices and choices not in text:
                parameter.help = f"{text} {choices}"  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def _choices() -> dict[str, str]:
    """Text for the help of each parameter whose values come from a table."""
    from crepitus.dicom.encoding import PHOTOMETRIC, SYNTAXES
    from crepitus.phantom.scenes import SCENES
    from crepitus.phantom.scenes.common import PRESETS

    kinds = "; ".join(f"{name}: {', '.join(scene.kinds)}" for name, scene in SCENES.items())
    return {
        "scene": f"One of: {', '.join(SCENES)}.",
        "preset": f"One of: {', '.join(PRESETS)}.",
        "kind": f"Known are, by scene, {kinds}.",
        "transfer_syntax": f"One of: {', '.join(SYNTAXES)}.",
        "photometric": f"One of: {', '.join(PHOTOMETRIC)}.",
    }


def phantom(
    scene: Annotated[str, typer.Argument(help="What to make.")],
    count: Annotated[
        int, typer.Option(min=1, help="Number of images; a study has as many as its scene has views.")
    ],
    out: Annotated[Path, typer.Option(help="New folder for the data set.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same images.")] = 0,
    size: Annotated[int, typer.Option(help="Rows and columns of the images, a multiple of 64.")] = 512,
    preset: Annotated[str, typer.Option(help="How visible the fractures are.")] = "default",
    kind: Annotated[str | None, typer.Option(help="Only fractures of this kind.")] = None,
    twin: Annotated[
        bool, typer.Option("--twin", help="Leave out every fracture and keep its label: nothing to find.")
    ] = False,
    hardware_correlation: Annotated[
        float, typer.Option(help="Correlation (phi) of metal with the label, -1 to 1.")
    ] = 0.0,
    label_noise: Annotated[
        float, typer.Option(help="Share of the studies with a wrong label, 0 to 0.5.")
    ] = 0.0,
    dicom: Annotated[bool, typer.Option("--dicom", help="Also write DICOM files into OUT/dicom.")] = False,
    transfer_syntax: Annotated[str, typer.Option(help="How the DICOM files keep their pixels.")] = "explicit",
    photometric: Annotated[str, typer.Option(help="Polarity of the DICOM files.")] = "MONOCHROME2",
    modality: Annotated[str, typer.Option(help="Kind of the DICOM files, DX or CR.")] = "DX",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes.", show_default="one per core")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make synthetic radiographs of broken and whole bones, with points, boxes, landmarks and masks.

    Half of the studies show a fracture. Every image depends on seed and options alone.
    """
    from crepitus.dicom.encoding import Encoding
    from crepitus.phantom.generate import Request

    request = Request(scene, seed, size, preset, twin, hardware_correlation, label_noise, kind)
    encoding = Encoding(modality, transfer_syntax, photometric)
    if not dicom and encoding != Encoding():
        raise UsageError("--transfer-syntax, --photometric, --modality: expected --dicom beside them")
    result = _make(request, count, out, encoding if dicom else None, workers)
    if as_json:
        print_json(result)
    else:
        say(f"{count} images of {result['studies']} studies, {result['fractured']} broken: {out}")


def _make(
    request: Request, count: int, out: Path, encoding: Encoding | None, workers: int | None
) -> dict[str, Any]:
    """Write the data set; returns what `--json` prints."""
    import polars as pl

    from crepitus.data.images import write_png
    from crepitus.data.writer import DataSetWriter, write_table
    from crepitus.phantom.columns import study_row
    from crepitus.phantom.generate import make_images

    info = _info(request, count, encoding)
    studies: dict[str, list[dict[str, Any]]] = {}
    names: dict[str, None] = {}
    with DataSetWriter(out, info, annotated=("points", "boxes", "landmarks")) as writer:
        folders = ["masks", *(["dicom"] if encoding else [])]
        for folder in folders:
            (out / folder).mkdir()
        for sample in progress(make_images(request, count, workers), count, "Making images"):
            writer.add(sample.radiograph, sample.annotation, **sample.columns)
            write_png(out / "masks" / f"{sample.radiograph.image_id}.png", sample.mask)
            names |= dict.fromkeys(sample.columns)
            rows = studies.setdefault(str(sample.columns["study_id"]), [])
            rows.append({"label": sample.annotation.label, **sample.columns})
            if encoding is not None:
                _write_dicom(out / "dicom", request.scene, sample, len(rows), encoding)
        writer.info["columns"] = _meanings(names)
        table = pl.DataFrame([study_row(rows) for rows in studies.values()], infer_schema_length=None)
        write_table(out / "studies.csv", table)
    fractured = sum(rows[0]["fractured"] for rows in studies.values())
    return {
        "out": str(out),
        "images": count,
        "studies": len(studies),
        "fractured": fractured,
        **info["settings"],
    }


def _info(request: Request, count: int, encoding: Encoding | None) -> dict[str, Any]:
    """Content of dataset.json, without the columns, which depend on the scene."""
    from dataclasses import asdict

    from crepitus.phantom.columns import MASK_BITS

    settings = {**asdict(request), "count": count}
    if encoding is not None:
        settings["dicom"] = {
            "modality": encoding.modality,
            "transfer_syntax": encoding.syntax,
            "photometric": encoding.photometric,
        }
    return {
        "name": f"phantom-{request.scene}-{request.preset}-{request.seed}",
        "licence": "CC0-1.0",
        "source": "crepitus phantom",
        "labels": ["fracture"],
        "settings": settings,
        "masks": {"files": "masks/<image_id>.png", "bits": MASK_BITS},
    }


def _meanings(names: dict[str, None]) -> dict[str, str]:
    from crepitus.data.tables import IMAGE_COLUMNS
    from crepitus.phantom.columns import meanings

    return meanings(name for name in names if name not in IMAGE_COLUMNS)


def _write_dicom(folder: Path, scene: str, sample: Sample, number: int, encoding: Encoding) -> None:
    """One file; `number` counts the views of its study from 1."""
    from crepitus.dicom.write import Identity, write_dx

    columns, image = sample.columns, sample.radiograph
    identity = Identity(
        f"PHANTOM^{scene.capitalize()}",
        str(columns["patient_id"]),
        str(columns["study_id"]),
        image.image_id,
        sex=str(columns["sex"]),
        age=columns["age"],
        number=number,
    )
    write_dx(
        folder / f"{image.image_id}.dcm",
        image.pixels,
        identity,
        spacing_mm=image.spacing_mm,
        body_part=columns["body_part"],
        view=columns["view"],
        laterality=columns["laterality"],
        kilovolt=columns["kilovolt"],
        encoding=encoding,
    )
