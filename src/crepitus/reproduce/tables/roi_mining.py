"""Table 1 of Wang et al. (MICCAI 2019): one stage against two, from image labels alone."""

from crepitus.reproduce.table import Claim, Metric, Row, Table, all_pairs

AUC, S_AT_R = "image.auroc", "image.specificity_at_recall_95"
R_AT_S, P_AT_R = "image.recall_at_specificity_95", "image.precision_at_recall_95"

METRICS = (
    Metric(AUC, "AUC"),
    Metric(S_AT_R, "S@R95"),
    Metric(R_AT_S, "R@S95"),
    Metric(P_AT_R, "P@R95"),
)

SINGLE, TWO = "single-stage", "two-stage"
SMALL = ("resnet18-gap", "resnet18-lse")
LARGE = ("chexnet", "wspl")

SECOND_STAGE = {
    "smoke": ("training.epochs=1",),
    "cpu": ("training.epochs=10",),
    "full": ("training.epochs=20",),
    "paper": ("training.epochs=100",),
}
"""Epochs of the second stage: the first one is the row before."""


def _published(*figures: float) -> dict[str, float | None]:
    return dict(zip((AUC, S_AT_R, R_AT_S, P_AT_R), figures, strict=True))


ROWS = (
    Row("resnet18-gap", "ResNet18-GAP", "resnet18-gap", published=_published(0.946, 0.706, 0.786, 0.846)),
    Row("resnet18-lse", "ResNet18-LSE", "resnet18-lse", published=_published(0.956, 0.723, 0.859, 0.851)),
    Row("chexnet", "CheXNet", "chexnet", published=_published(0.962, 0.809, 0.870, 0.876)),
    Row("wspl", "Wang et al. (2017)", "wspl", published=_published(0.962, 0.752, 0.875, 0.867)),
    Row(SINGLE, "Proposed, single stage", "ufdet", published=_published(0.968, 0.825, 0.888, 0.903)),
    Row(
        TWO,
        "Proposed, two stages",
        "roi-mining",
        overrides=(
            f'mining.first_weights="{{run:{SINGLE}}}/model.safetensors"',
            "mining.start_epoch=0",
        ),
        at_scale=SECOND_STAGE,
        published=_published(0.975, 0.876, 0.909, 0.928),
    ),
)

CLAIMS = (
    *(Claim("Two stages are better than one", m, TWO, SINGLE) for m in (AUC, S_AT_R, R_AT_S, P_AT_R)),
    *all_pairs("Two stages are better than all single-stage methods", AUC, (TWO,), (*SMALL, *LARGE)),
    *all_pairs("Pooling probabilities is better than pooling features", AUC, (SINGLE,), LARGE),
    *all_pairs("Networks of low capacity are not enough for the whole image", AUC, LARGE, SMALL),
)

TABLES = (
    Table(
        name="roi-mining-table1",
        title="Fracture classification from image labels",
        paper="Wang et al., MICCAI 2019 (003), Table 1",
        metrics=METRICS,
        rows=ROWS,
        claims=CLAIMS,
        notes=(
            "The first stage of the last row is the row before it, on the same fold.",
            "The paper's networks are DenseNet-121 and ResNet-18; the scale cpu has narrow ones of both.",
        ),
    ),
)
