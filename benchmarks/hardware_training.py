"""Data sets in which metal goes with the fracture, and networks trained on them: `hardware_confounder.py`."""

from __future__ import annotations

from importlib.resources import as_file
from pathlib import Path

import numpy as np
import torch

from crepitus.data import DataSet, DataSetWriter
from crepitus.data.splits import roles
from crepitus.explain.explainers import Explainer
from crepitus.methods.config_file import load_config
from crepitus.methods.parts.weights import load_into, load_weights
from crepitus.methods.registry import method_info
from crepitus.predict.model import InputImage, Model
from crepitus.reproduce.scales import config_file
from crepitus.structures import Annotation, Radiograph
from crepitus.train.records import RunFolder
from crepitus.train.run import start_run, train
from hardware_images import Pairs

VALIDATION = 0.15
"""Share of the studies that choose the best epoch."""


def write_data_set(pairs: Pairs, correlation: float, out: Path) -> None:
    """The images that the phantom makes at this correlation, as a data set; the last studies validate."""
    metal, first = pairs.chosen(correlation), round((1 - VALIDATION) * len(pairs.label))
    info = {
        "name": f"wrist-hardware-{correlation:g}",
        "licence": "CC0-1.0",
        "source": "benchmarks/hardware_images.py",
    }
    with DataSetWriter(out, info) as writer:
        for k, label in enumerate(pairs.label.tolist()):
            writer.add(
                Radiograph(f"wrist-{k:05d}", (pairs.metal if metal[k] else pairs.bare)[k]),
                Annotation(label=label),
                study_id=f"wrist-{k:05d}",
                patient_id=f"wrist-{k:05d}",
                body_part="WRIST",
                hardware=int(metal[k]),
                split="train" if k < first else "val",
            )


def trained(name: str, data: Path, out: Path, seed: int, overrides: tuple[str, ...]) -> Model:
    """The method at its cpu scale with these changes, trained unless it is there already."""
    if not (out / "model.json").is_file():
        data_set, info = DataSet.read(data), method_info(name)
        with as_file(config_file(info, "cpu", "")) as path:
            config = load_config(info.load().config_class, path, (*overrides, f"training.seed={seed}"))
        run = RunFolder(out)
        if not (out / "run.json").is_file():
            chosen = roles(data_set.images, data_set.truth, fold=None, seed=seed)
            run = start_run(name, data_set, out, config, chosen, fold=None)
        train(run, data_set, lambda text: print(f"{out.name}: {text}", flush=True))
    return Model.load(out)


def scores(model: Model, pixels: np.ndarray) -> np.ndarray:
    """Scores (n,) of images (n, r, c), uint8."""
    found = []
    for start in range(0, len(pixels), 32):
        batch = [InputImage(f"x{k}", image, "") for k, image in enumerate(pixels[start : start + 32])]
        found += [answer.score for answer in model.predict(batch)]
    return np.array(found, dtype=np.float64)


def relevance(model: Model, pixels: np.ndarray) -> np.ndarray:
    """Relevance for a fracture by relevance propagation, (n, r, c), of images (n, r, c), uint8.

    The images must have the size of the input, so that the map has the grid of the image.
    """
    record = model.record
    method_class = method_info(record["method"]).load()
    method = method_class(method_class.config_class.model_validate(record["config"]))
    network = method.network(initialise=False)
    load_into(network, load_weights(model.root / record["weights"], record["sha256"]), str(model.root))
    explainer = Explainer(method, network.eval(), "lrp")
    found = []
    for image in pixels:
        fit = method.config.input.fit_of(*image.shape)
        inputs = torch.from_numpy(fit.apply(image))[None, None]
        found.append(explainer(inputs).values[0].numpy())
    maps = np.stack(found)
    if maps.shape != pixels.shape:
        raise ValueError(f"expected inputs of {pixels.shape[1:]}, the network has {maps.shape[1:]}")
    return maps
