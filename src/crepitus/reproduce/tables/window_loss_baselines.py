"""Table 1 of Zhang et al. (AAAI 2021): the Window Loss beside classifiers and box detectors."""

from crepitus.reproduce.table import Claim, Metric, Row, Table, all_pairs

AUROC, RECALL, FROC = "image.auroc", "localization.recall_at_fp_0.1", "localization.froc_score"

METRICS = (
    Metric(AUROC, "AUROC"),
    Metric(RECALL, "Recall@0.1"),
    Metric(FROC, "FROC score"),
)

BOXES = {RECALL: "boxes.recall_at_fp_0.1", FROC: "boxes.froc_score"}
"""Box methods are judged by their boxes as they are, not by boxes that were painted and found again."""

CLASSIFIERS = ("chexnet", "wspl", "ufdet")
DETECTORS = ("faster-rcnn", "retinanet", "fcos")
OURS = ("wl-mse", "wl-kld")

RESNET50 = ("backbone.name=resnet50",)
"""The classifiers recommend the DenseNet-121 of paper 003 for 'full'."""

NARROW = (
    'backbone.name="resnet10t"',
    "backbone.options={stem_width = 8, channels = [16, 32, 64, 128]}",
)
"""The network of the other rows at the scale cpu."""


def _published(auroc: float, recall: float, froc: float) -> dict[str, float | None]:
    return {AUROC: auroc, RECALL: recall, FROC: froc}


def _classifier(name: str, title: str, *figures: float) -> Row:
    return Row(
        name,
        title,
        name,
        variant="001",
        at_scale={"cpu": NARROW, "full": RESNET50},
        published=_published(*figures),
    )


def _detector(name: str, title: str, *figures: float) -> Row:
    return Row(name, title, name, published=_published(*figures), keys=BOXES)


def _window(divergence: str, *figures: float) -> Row:
    return Row(
        f"wl-{divergence}",
        f"WL-{divergence.upper()}",
        "window-loss",
        overrides=(f'loss.divergence="{divergence}"',),
        published=_published(*figures),
    )


ROWS = (
    _classifier("chexnet", "CheXNet", 0.971, 0.289, 0.549),
    _classifier("wspl", "WSPL", 0.974, 0.560, 0.685),
    _classifier("ufdet", "UFDet", 0.972, 0.649, 0.754),
    _detector("faster-rcnn", "Faster-RCNN", 0.961, 0.825, 0.863),
    _detector("retinanet", "RetinaNet", 0.969, 0.826, 0.881),
    _detector("fcos", "FCOS", 0.961, 0.803, 0.859),
    _window("mse", 0.979, 0.874, 0.899),
    _window("kld", 0.983, 0.854, 0.896),
)

CLAIMS = (
    *all_pairs("The Window Loss classifies better than all baselines", AUROC, OURS, CLASSIFIERS + DETECTORS),
    *all_pairs("The Window Loss localizes better than all baselines", FROC, OURS, CLASSIFIERS + DETECTORS),
    *all_pairs("Box methods localize better than classifiers", FROC, DETECTORS, CLASSIFIERS),
    *all_pairs("Box methods classify worse than classifiers", AUROC, CLASSIFIERS, DETECTORS),
    Claim("KLD classifies better than MSE", AUROC, "wl-kld", "wl-mse"),
    Claim("MSE localizes better than KLD", FROC, "wl-mse", "wl-kld"),
)

TABLES = (
    Table(
        name="window-loss-table1",
        title="Classification and localization of the Window Loss and of its baselines",
        paper="Zhang et al., AAAI 2021 (001), Table 1",
        metrics=METRICS,
        rows=ROWS,
        claims=CLAIMS,
        notes=(
            "The heatmaps of the classifiers learn from image labels, all other rows from points.",
            "Recall and FROC score of the box methods are those of their boxes.",
        ),
    ),
)
