"""The list of methods; importing it loads no network library."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from crepitus.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from crepitus.methods.base import Method


@dataclass(frozen=True)
class MethodInfo:
    """One line about a method, and where its class is."""

    name: str
    paper: str
    task: str
    supervision: str
    module: str
    class_name: str

    def load(self) -> type[Method[Any]]:
        """Import the method's class."""
        try:
            loaded = getattr(import_module(self.module), self.class_name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("crepitus"):
                raise
            raise MissingExtraError("train", f"the method {self.name} (module {error.name})") from error
        return loaded  # type: ignore[no-any-return]


def _classifier(name: str, paper: str, class_name: str) -> MethodInfo:
    return MethodInfo(
        name=name,
        paper=paper,
        task="localization and image score",
        supervision="image labels",
        module="crepitus.methods.baselines.classifier",
        class_name=class_name,
    )


def _detector(name: str, paper: str, class_name: str) -> MethodInfo:
    return MethodInfo(
        name=name,
        paper=paper,
        task="boxes and image score",
        supervision="points",
        module="crepitus.methods.baselines.detector",
        class_name=class_name,
    )


def _wrist(name: str, task: str, class_name: str, file: str = "method") -> MethodInfo:
    return MethodInfo(
        name=name,
        paper="de Cid Rodriguez, master's thesis 2021 (004)",
        task=task,
        supervision="image labels",
        module=f"crepitus.methods.wrist.{file}",
        class_name=class_name,
    )


def _femur(name: str, task: str, supervision: str, module: str, class_name: str) -> MethodInfo:
    return MethodInfo(
        name=name,
        paper="Jiménez-Sánchez et al., 2018 (002)",
        task=task,
        supervision=supervision,
        module=f"crepitus.methods.femur.{module}",
        class_name=class_name,
    )


METHODS = {
    info.name: info
    for info in (
        MethodInfo(
            name="window-loss",
            paper="Zhang et al., AAAI 2021 (001)",
            task="localization and image score",
            supervision="points",
            module="crepitus.methods.window_loss.method",
            class_name="WindowLoss",
        ),
        MethodInfo(
            name="aasn",
            paper="Chen et al., ECCV 2020 (000)",
            task="localization and image score, by comparing sides",
            supervision="points, landmarks",
            module="crepitus.methods.aasn.method",
            class_name="Aasn",
        ),
        MethodInfo(
            name="liu-metric",
            paper="Liu et al., Magn. Reson. Imaging 2019 (in 000)",
            task="distance between sides as the score",
            supervision="points, landmarks",
            module="crepitus.methods.aasn.method",
            class_name="LiuMetric",
        ),
        MethodInfo(
            name="deepsymnet",
            paper="Barman et al., ISBI 2019 (in 000)",
            task="localization and image score, difference of sides",
            supervision="points, landmarks",
            module="crepitus.methods.aasn.method",
            class_name="DeepSymNet",
        ),
        MethodInfo(
            name="cbn",
            paper="Liu et al., MICCAI 2019 (in 000)",
            task="localization and image score, gated sides",
            supervision="points, landmarks",
            module="crepitus.methods.aasn.method",
            class_name="ContrastedBilateral",
        ),
        MethodInfo(
            name="landmarks",
            paper="Li et al., 2020 (in 000)",
            task="landmarks by a graph",
            supervision="landmarks",
            module="crepitus.methods.landmarks.method",
            class_name="Landmarks",
        ),
        MethodInfo(
            name="landmarks-heatmap",
            paper="heatmap regression (baseline in 000)",
            task="landmarks by heatmaps",
            supervision="landmarks",
            module="crepitus.methods.landmarks.method",
            class_name="HeatmapLandmarksMethod",
        ),
        MethodInfo(
            name="roi-mining",
            paper="Wang et al., MICCAI 2019 (003)",
            task="localization, image score, kind of fracture",
            supervision="image labels",
            module="crepitus.methods.roi_mining.method",
            class_name="RoiMining",
        ),
        _classifier("chexnet", "Rajpurkar et al., arXiv 2017 (baseline of 000, 001, 003)", "CheXNet"),
        _classifier("wspl", "Wang et al., CVPR 2017 (baseline of 000, 001, 003)", "Wspl"),
        _classifier("ufdet", "Wang et al., MICCAI 2019 (003), first stage (baseline of 001)", "UfDet"),
        _classifier("resnet18-gap", "Wang et al., MICCAI 2019 (003), baseline", "ResNet18Gap"),
        _classifier("resnet18-lse", "Wang et al., MICCAI 2019 (003), baseline", "ResNet18Lse"),
        _detector("faster-rcnn", "Ren et al., NeurIPS 2015 (baseline of 001)", "FasterRcnn"),
        _detector("retinanet", "Lin et al., ICCV 2017 (baseline of 001)", "RetinaNet"),
        _detector("fcos", "Tian et al., ICCV 2019 (baseline of 001)", "Fcos"),
        _wrist("wrist-resnet18", "image score, ResNet-18", "WristResNet18"),
        _wrist("wrist-rx", "image score, plain convolutions", "WristRx"),
        _wrist("wrist-aggregator", "study score from any views", "WristAggregator", "aggregator_method"),
        _wrist("wrist-vit", "image score, Vision Transformer", "WristVit"),
        _wrist("wrist-attention", "image score, residual attention", "WristAttention"),
        _femur("femur-lbm", "AO class, heatmap and boxes", "classes", "whole", "FemurLbm"),
        _femur("femur-ubm", "AO class of the annotated region", "classes, regions", "whole", "FemurUbm"),
        _femur("femur-sup", "AO class and box", "classes, regions", "sup", "FemurSup"),
        _femur("femur-stn", "AO class and box", "classes", "stn", "FemurStn"),
        _femur("femur-stl", "AO class, heatmap and boxes", "classes", "stl", "FemurStl"),
        _femur("femur-pooling", "AO class, heatmap and boxes", "classes", "whole", "FemurPooling"),
    )
}


def method_info(name: str) -> MethodInfo:
    """The method of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        raise UsageError(
            f"expected one of {', '.join(METHODS)} as METHOD, got {name!r}; see 'crepitus methods'"
        )
    return METHODS[name]
