"""Tables 1 and 2 of Chen et al. (ECCV 2020): the Siamese network among others, and its parts one by one."""

from crepitus.reproduce.table import Claim, Metric, Row, Table

AUC, AP = "image.auroc", "image.ap"
RECALL_1, RECALL_10 = "localization.area_recall_at_0.01", "localization.area_recall_at_0.10"
KEYS = (AUC, AP, RECALL_1, RECALL_10)

METRICS = (
    Metric(AUC, "AUC"),
    Metric(AP, "AP"),
    Metric(RECALL_1, "Recall, FP 1 %"),
    Metric(RECALL_10, "Recall, FP 10 %"),
)

NOTES = (
    "For a data set of regions of the anterior pelvis with landmarks, as 'crepitus regions' makes them.",
    "The recalls allow a share of false positive area, not a number of false positives.",
)
RADIUS_REL = 50 / 512
RADIUS_NOTE = "the paper's 50 px (2 cm) on regions of 256 x 512 px"


def _published(*figures: float) -> dict[str, float | None]:
    return dict(zip(KEYS, figures, strict=False))


def _switches(*, fusion: bool, alignment: str, contrastive: bool, projection: bool = True) -> tuple[str, ...]:
    return (
        f"siamese.fusion={str(fusion).lower()}",
        f'siamese.alignment="{alignment}"',
        f"siamese.contrastive={str(contrastive).lower()}",
        f"siamese.projection={str(projection).lower()}",
    )


WHOLE = {
    "smoke": ("input.rows_px=64", "input.columns_px=128", 'input.fit="stretch"'),
    "cpu": ("input.rows_px=96", "input.columns_px=192", 'input.fit="stretch"'),
    "full": ("input.rows_px=256", "input.columns_px=512", 'input.fit="stretch"'),
    "paper": ("input.rows_px=256", "input.columns_px=512", 'input.fit="stretch"'),
}
"""Methods for whole radiographs see the region of interest as large as the Siamese network does."""


def _whole(name: str, title: str, method: str, *figures: float) -> Row:
    return Row(name, title, method, at_scale=WHOLE, published=_published(*figures))


TABLE_1 = Table(
    name="aasn-table1",
    title="Classification and localization, compared with others",
    paper="Chen et al., ECCV 2020 (000), Table 1",
    metrics=METRICS,
    rows=(
        _whole("chexnet", "CheXNet", "chexnet", 0.9342, 0.8633),
        _whole("wang-2017", "Wang et al. 2017", "wspl", 0.9543, 0.9331),
        _whole("wang-2019", "Wang et al. 2019", "roi-mining", 0.9606, 0.9390),
        Row("liu-metric", "Liu et al.", "liu-metric", published=_published(0.9684, 0.9429, 0.0278, 0.2419)),
        Row("deepsymnet", "DeepSymNet", "deepsymnet", published=_published(0.9629, 0.9445, 0.6966, 0.9007)),
        Row("cbn", "CBN", "cbn", published=_published(0.9700, 0.9492, 0.7393, 0.9090)),
        Row("aasn", "AASN", "aasn", published=_published(0.9771, 0.9650, 0.7787, 0.9271)),
    ),
    claims=(
        *(Claim("AASN is the best", AUC, "aasn", other) for other in ("liu-metric", "deepsymnet", "cbn")),
        *(Claim("AASN localizes best", RECALL_1, "aasn", other) for other in ("deepsymnet", "cbn")),
        Claim("A distance alone does not localize", RECALL_1, "deepsymnet", "liu-metric"),
        Claim("A distance alone does not localize", RECALL_10, "deepsymnet", "liu-metric"),
        Claim("Concatenation is better than subtraction", RECALL_1, "cbn", "deepsymnet"),
    ),
    notes=NOTES,
    radius_rel=RADIUS_REL,
    radius_note=RADIUS_NOTE,
)

TABLE_2 = Table(
    name="aasn-table2",
    title="Fusion (FF), alignment of features (FA), contrastive learning (CL)",
    paper="Chen et al., ECCV 2020 (000), Table 2",
    metrics=METRICS,
    rows=(
        Row(
            "vanilla",
            "vanilla DenseNet",
            "aasn",
            overrides=_switches(fusion=False, alignment="none", contrastive=False),
            published=_published(0.9652, 0.9452, 0.7079, 0.8946),
        ),
        Row(
            "ff",
            "FF",
            "aasn",
            overrides=_switches(fusion=True, alignment="image", contrastive=False),
            published=_published(0.9693, 0.9477, 0.7322, 0.8993),
        ),
        Row(
            "ff-fa",
            "FF, FA",
            "aasn",
            overrides=_switches(fusion=True, alignment="feature", contrastive=False),
            published=_published(0.9720, 0.9568, 0.7668, 0.9151),
        ),
        Row(
            "ff-cl",
            "FF, CL",
            "aasn",
            overrides=_switches(fusion=True, alignment="image", contrastive=True),
            published=_published(0.9746, 0.9536, 0.7627, 0.9109),
        ),
        Row(
            "no-projection",
            "FF, FA, CL, no projection",
            "aasn",
            overrides=_switches(fusion=True, alignment="feature", contrastive=True, projection=False),
            published=_published(0.9731, 0.9615, 0.7726, 0.9270),
        ),
        Row(
            "aasn",
            "FF, FA, CL",
            "aasn",
            overrides=_switches(fusion=True, alignment="feature", contrastive=True),
            published=_published(0.9771, 0.9650, 0.7787, 0.9271),
        ),
    ),
    claims=(
        Claim("The other side helps", AUC, "ff", "vanilla"),
        Claim("The other side helps", RECALL_1, "ff", "vanilla"),
        Claim("Aligning features beats aligning images", AUC, "ff-fa", "ff"),
        Claim("Aligning features beats aligning images", RECALL_1, "ff-fa", "ff"),
        Claim("Aligning features beats aligning images, with comparison", RECALL_1, "aasn", "ff-cl"),
        Claim("Comparing the sides helps", AUC, "ff-cl", "ff"),
        Claim("Comparing the sides helps", RECALL_1, "ff-cl", "ff"),
        Claim("Comparing the sides helps aligned features", RECALL_1, "aasn", "ff-fa"),
        Claim("The projection helps", RECALL_1, "aasn", "no-projection"),
        Claim("All parts together are better than none", AUC, "aasn", "vanilla"),
        Claim("All parts together are better than none", RECALL_1, "aasn", "vanilla"),
    ),
    notes=NOTES,
    radius_rel=RADIUS_REL,
    radius_note=RADIUS_NOTE,
)

TABLES = (TABLE_1, TABLE_2)
