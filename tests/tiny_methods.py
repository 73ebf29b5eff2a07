"""Overrides of the configuration that make each method small enough for a test."""

SMALL = (
    "input.size_px=64",
    "training.epochs=1",
    "training.batch_size=4",
    "training.precision=fp32",
    "training.workers=0",
    "training.learning_rate=1e-3",
)
NET = (*SMALL, "backbone.name=test_resnet", "backbone.weights=random")
WRIST = (*SMALL, "input.rows_px=64", "input.columns_px=48")
ATTENTION = ("attention.channels=[8]", "attention.modules=[1]", "attention.depths=[1]")
SECOND = ("second.name=test_resnet", "second.weights=random", "mining.region_px=480", "mining.start_epoch=1")
FEMUR = (*NET, "classes=2")
ALEX = ("network.width=0.1", "network.weights=random", "hidden=8", "grid=1")
LOCALIZER = ("localizer.crop_px=48", *(f"localizer.{value}" for value in ALEX))

SETTINGS = {
    "window-loss": (*NET, "pyramid.channels=16"),
    "roi-mining": (*NET, *SECOND, "training.epochs=2"),
    **dict.fromkeys(("chexnet", "wspl", "ufdet", "resnet18-gap", "resnet18-lse"), NET),
    **dict.fromkeys(("faster-rcnn", "retinanet"), (*NET, "pyramid.channels=8", "boxes.heatmap_stride=4")),
    "fcos": (*NET, "pyramid.channels=32", "boxes.heatmap_stride=4"),
    "wrist-resnet18": (*WRIST, "backbone.name=test_resnet", "backbone.weights=random"),
    **dict.fromkeys(("wrist-rx", "wrist-aggregator"), (*WRIST, "rx.channels=[4,8]", "rx.hidden=[8,4]")),
    "wrist-vit": (
        *WRIST,
        "backbone.name=vit_tiny_patch16_224",
        "backbone.weights=random",
        "backbone.options={embed_dim=24,depth=1,num_heads=2}",
    ),
    "wrist-attention": (*WRIST, "attention.stem=4", *ATTENTION),
    **dict.fromkeys(("femur-lbm", "femur-pooling"), FEMUR),
    "femur-ubm": (*FEMUR, "crop_px=48"),
    **dict.fromkeys(("femur-stn", "femur-sup"), (*FEMUR, *LOCALIZER)),
    "femur-stl": (
        *FEMUR,
        "stl.network.width=0.1",
        "stl.network.weights=random",
        "stl.hidden=8",
        "stl.grid=1",
    ),
}
"""Overrides that make a method small, by its name; a new method adds its own."""

OF_THE_PELVIS = {"aasn", "liu-metric", "deepsymnet", "cbn", "landmarks", "landmarks-heatmap"}
"""Methods that need landmarks of a pelvis; tests/methods/aasn takes them through the same steps."""
