"""Does the aggregator beat at-least-one where no single view decides, and what kept the thesis's from it?

    python benchmarks/wrist_views.py build/unbroken --out build/views
    crepitus split build/views --folds 5 --seed 0
    python benchmarks/wrist_aggregator.py build/views --out build/aggregator.json

Trains Rx on labels that were spread from the study to its images, judges it by every study rule, and trains
aggregators in several ways on the same studies. Figures are AUROCs over the test studies, with the difference
to at-least-one and its 95 % interval from a paired bootstrap over patients.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from sklearn.metrics import roc_auc_score

from crepitus.data import DataSet
from crepitus.methods.parts.study_rules import StudyRule, learn_rule
from crepitus.methods.parts.weights import save_weights
from crepitus.methods.wrist.aggregator import AggregatorNetwork, ViewsConfig
from crepitus.methods.wrist.rx import RxConfig, RxNetwork
from record import write_result

SHAPE = {"channels": (8, 16, 32), "hidden": (32, 16), "pooled_rows": 2, "pooled_columns": 2}
OURS = RxConfig(**SHAPE)
PRINTED = RxConfig(**SHAPE, padded=False, normalisation="none", initialisation="default")

ROUNDS = 1000


@dataclass(frozen=True)
class Studies:
    """Images (n, 1, h, w) at half their size; of each study its images, label, split and patient."""

    images: torch.Tensor
    members: list[list[int]]
    labels: np.ndarray
    split: np.ndarray
    patients: np.ndarray

    @classmethod
    def read(cls, data: DataSet) -> Studies:
        """The studies of a data set whose images have the same even size."""
        ids = data.images["image_id"].to_list()
        pixels = [data.radiograph(i).pixels for i in ids]
        full = [p.astype(np.float32) / np.iinfo(p.dtype).max for p in pixels]
        images = F.avg_pool2d(torch.from_numpy(np.stack(full))[:, None], 2)
        members: dict[str, list[int]] = {}
        for k, study in enumerate(data.images["study_id"]):
            members.setdefault(study, []).append(k)
        first = [own[0] for own in members.values()]
        table = data.images[first]
        return cls(
            images,
            list(members.values()),
            table["label"].to_numpy(),
            table["split"].to_numpy(),
            table["patient_id"].to_numpy(),
        )

    def of(self, split: str) -> np.ndarray:
        """Numbers of the studies of one split."""
        return np.flatnonzero(self.split == split)

    def batch(self, numbers: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Images of these studies, and the position of each image's study among them."""
        rows = [row for number in numbers for row in self.members[number]]
        study = [k for k, number in enumerate(numbers) for _ in self.members[number]]
        return self.images[rows], torch.tensor(study)


def moved(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirrored at random, and shifted by up to two pixels."""
    flip = torch.rand(len(images), generator=generator) < 0.5
    images = torch.where(flip[:, None, None, None], images.flip(-1), images)
    down, right = torch.randint(-2, 3, (2,), generator=generator).tolist()
    return torch.roll(images, (down, right), (2, 3))


def answers(network: torch.nn.Module, images: torch.Tensor, study: torch.Tensor) -> tuple[torch.Tensor, bool]:
    """Logits of the studies, or of the images; and whether they are of studies."""
    if isinstance(network, AggregatorNetwork):
        return network(images, study).studies, True
    return network(images), False


def fit(
    network: torch.nn.Module, studies: Studies, *, epochs: int, rate: float, batch: int, seed: int, warm: bool
) -> list[float]:
    """Adam on batches of whole studies, with a warm-up and a cosine if asked for; the loss of each epoch."""
    chosen, generator = studies.of("train"), torch.Generator().manual_seed(seed)
    if float(network.statistics.std) == 1.0:
        network.statistics.measure([studies.batch(chosen)[0]])
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=rate)
    total, step, history = epochs * (len(chosen) // batch), 0, []
    for _ in range(epochs):
        network.train()
        order, losses = chosen[torch.randperm(len(chosen), generator=generator).numpy()], []
        for start in range(0, len(chosen) - batch + 1, batch):
            numbers = order[start : start + batch]
            images, study = studies.batch(numbers)
            logits, of_studies = answers(network, moved(images, generator), study)
            labels = torch.tensor(studies.labels[numbers], dtype=torch.float32)
            loss = F.binary_cross_entropy_with_logits(logits, labels if of_studies else labels[study])
            for group in optimizer.param_groups:
                group["lr"] = rate * (_factor(step, total) if warm else 1.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
            step += 1
        history.append(float(np.mean(losses)))
    return history


def _factor(step: int, total: int) -> float:
    warmup = max(1, total // 10)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + float(np.cos(np.pi * (step - warmup) / max(1, total - warmup))))


@torch.no_grad()
def scores(network: torch.nn.Module, studies: Studies, split: str) -> list[np.ndarray]:
    """Per study the score of the study (1,), or those of its images (n,)."""
    network.eval()
    numbers, found = studies.of(split), []
    for start in range(0, len(numbers), 64):
        images, study = studies.batch(numbers[start : start + 64])
        logits, of_studies = answers(network, images, study)
        values, where = logits.sigmoid().numpy(), study.numpy()
        count = int(where.max()) + 1
        found += [values[k : k + 1] if of_studies else values[where == k] for k in range(count)]
    return found


def judged(
    name: str, given: np.ndarray, baseline: np.ndarray, studies: Studies, seed: int
) -> dict[str, float | list[float]]:
    """AUROC over the test studies, and its difference to the baseline with a 95 % interval."""
    numbers = studies.of("test")
    truth, patients = studies.labels[numbers], studies.patients[numbers]
    generator, rows = np.random.default_rng(seed), {p: np.flatnonzero(patients == p) for p in set(patients)}
    names, differences = sorted(rows), []
    for _ in range(ROUNDS):
        drawn = np.concatenate([rows[names[k]] for k in generator.integers(0, len(names), len(names))])
        if len(set(truth[drawn])) == 2:
            pair = [float(roc_auc_score(truth[drawn], s[drawn])) for s in (given, baseline)]
            differences.append(pair[0] - pair[1])
    result: dict[str, float | list[float]] = {
        "auroc": float(roc_auc_score(truth, given)),
        "minus_at_least_one": float(roc_auc_score(truth, given) - roc_auc_score(truth, baseline)),
        "ci95": np.quantile(differences, [0.025, 0.975]).tolist(),
    }
    print(name, result, flush=True)
    return result


def by_rules(network: torch.nn.Module, studies: Studies) -> dict[str, np.ndarray]:
    """Scores of the test studies by each rule; the learned one is fitted to the validation studies."""
    learned = learn_rule(scores(network, studies, "val"), studies.labels[studies.of("val")])
    rules = [StudyRule(name) for name in ("at-least-one", "majority", "noisy-or")]
    views = scores(network, studies, "test")
    return {
        rule.name: np.array([rule.score(own.astype(np.float64)) for own in views])
        for rule in (*rules, *([learned] if learned else []))
    }


VARIANTS = (
    # name, blocks, transfer, frozen, pooling, studies a step, warm-up
    ("from scratch", OURS, False, False, "cells", 16, True),
    ("transferred and fine-tuned", OURS, True, False, "cells", 16, True),
    ("transferred and frozen", OURS, True, True, "cells", 16, True),
    ("from scratch, maximum of maps", OURS, False, False, "maps", 16, True),
    ("printed, view model without back-propagation, from scratch", PRINTED, False, True, "maps", 16, False),
    ("printed, view model without back-propagation, transferred", PRINTED, True, True, "maps", 16, False),
    ("printed, from scratch, one study a step", PRINTED, False, False, "maps", 1, False),
    ("printed, from scratch", PRINTED, False, False, "maps", 16, False),
)


def main() -> None:
    """Train, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, default=len(VARIANTS), help="the first so many ways of training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    studies, seed = Studies.read(DataSet.read(options.data)), options.seed
    figures: dict[str, object] = {"test_studies": len(studies.of("test")), "epochs": options.epochs}
    weights, baseline = {}, None
    folder = Path(tempfile.mkdtemp())
    for name, config, warm in (("Rx", OURS, True), ("printed Rx", PRINTED, False)):
        torch.manual_seed(seed)
        network = RxNetwork(config)
        rate = 3e-3 if warm else 1e-3
        losses = fit(network, studies, epochs=options.epochs, rate=rate, batch=16, seed=seed, warm=warm)
        weights[config] = folder / f"{len(weights)}.safetensors"
        save_weights(weights[config], network.state_dict())
        rules = by_rules(network, studies)
        baseline = rules["at-least-one"] if baseline is None else baseline
        for rule, given in rules.items():
            figures[f"{name}, {rule}"] = judged(f"{name}, {rule}", given, baseline, studies, seed)
        figures[f"{name}, loss"] = losses
    for name, config, transfer, frozen, pooling, batch, warm in VARIANTS[: options.only]:
        torch.manual_seed(seed)
        source = str(weights[config]) if transfer else "random"
        network = AggregatorNetwork(config, ViewsConfig(weights=source, frozen=frozen, pooling=pooling))
        rate = 3e-3 if warm else 1e-3
        losses = fit(network, studies, epochs=options.epochs, rate=rate, batch=batch, seed=seed, warm=warm)
        given = np.concatenate(scores(network, studies, "test"))
        figures[f"aggregator, {name}"] = {
            **judged(f"aggregator, {name}", given, baseline, studies, seed),
            "loss": losses,
        }
    write_result(figures, seed=seed, out=options.out)


if __name__ == "__main__":
    main()
