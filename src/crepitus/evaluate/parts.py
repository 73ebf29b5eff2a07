"""All statistics of one set of predictions, so that one, two or many sets are judged by the same code."""

from __future__ import annotations

from dataclasses import dataclass

from crepitus.evaluate.best_box import BestBox
from crepitus.evaluate.bootstrap import Statistic
from crepitus.evaluate.boxes import BoxFroc, BoxPrecision
from crepitus.evaluate.calibration import CalibrationFigures
from crepitus.evaluate.cases import Cases
from crepitus.evaluate.classification import ClassFigures, ImageFigures, StudyFigures
from crepitus.evaluate.gather import (
    Localization,
    Progress,
    best_boxes,
    best_regions,
    box_froc,
    box_precision,
    calibration_figures,
    class_figures,
    doubt_figures,
    heatmap_figures,
    image_figures,
    study_figures,
)
from crepitus.evaluate.geometry import Radius
from crepitus.evaluate.landmarks import LandmarkFigures, landmark_figures
from crepitus.evaluate.operating import DoubtFigures


@dataclass(frozen=True)
class Parts:
    """The statistics of one evaluation."""

    image: ImageFigures
    calibration: CalibrationFigures
    doubt: DoubtFigures | None
    study: StudyFigures
    classes: ClassFigures | None
    heatmaps: Localization
    precision: BoxPrecision
    best: BestBox
    regions: BestBox | None
    boxes: BoxFroc
    landmarks: LandmarkFigures | None

    @classmethod
    def of(cls, cases: Cases, radius: Radius, progress: Progress[int] | None = None) -> Parts:
        """Gather everything that the figures of these cases need.

        Raises:
            PredictionsError: a heatmap is damaged.
            UsageError: a radius in mm, and an image has no spacing.
        """
        image = image_figures(cases)
        return cls(
            image=image,
            calibration=calibration_figures(cases),
            doubt=doubt_figures(cases, image),
            study=study_figures(cases),
            classes=class_figures(cases),
            heatmaps=heatmap_figures(cases, radius, progress),
            precision=box_precision(cases),
            best=best_boxes(cases),
            regions=best_regions(cases),
            boxes=box_froc(cases, radius),
            landmarks=landmark_figures(cases),
        )

    @property
    def statistics(self) -> list[Statistic]:
        """All of them, in the order of the keys of evaluation.json."""
        found: list[Statistic] = [self.image, self.calibration, self.heatmaps.froc, self.heatmaps.area]
        found += [self.precision, self.best, self.boxes, self.study]
        further = (self.regions, self.classes, self.doubt, self.landmarks)
        return [*found, *(part for part in further if part is not None)]
