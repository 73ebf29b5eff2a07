"""The nouns of a scene: person, anatomy, injury, extras, shot; each drawn without knowledge of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from crepitus.phantom.injuries.fracture import Fracture, Motion, Remodelling
from crepitus.phantom.solid.field import Solid
from crepitus.phantom.xray.physics import Exposure, GridLines
from crepitus.phantom.xray.project import Bone, Detector, Pose, Tissue

FloatArray = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class Person:
    """What all bones of one person share.

    Attributes:
        sex: DICOM code, "M" or "F".
        age: in years.
        scale: size relative to an average adult of that sex.
        quality: bone density; 1 is a young adult, 0.6 osteoporotic.
        fat_mm: depth of the subcutaneous fat where it is thickest on an average person.
        muscle: girth of muscles relative to the average.
    """

    sex: str
    age: float
    scale: float
    quality: float
    fat_mm: float
    muscle: float


@dataclass(frozen=True)
class Site:
    """A place where a bone may break.

    Attributes:
        bone: name of the solid.
        origin_mm: body coordinates of the middle of the bone there, shape (3,).
        axes: rows s (along the bone), a, b (across), orthonormal, shape (3, 3).
        radius_mm: half the width of the bone there.
    """

    bone: str
    origin_mm: FloatArray
    axes: FloatArray
    radius_mm: float


@dataclass(frozen=True)
class Anatomy:
    """A part of a person before anything happened to it, in the body frame.

    Attributes:
        body_part: DICOM Body Part Examined (PS3.16 annex L).
        person: whose part it is.
        bones: unbroken, with the motions of their joints.
        tissue: soft tissue.
        landmarks: by name: name of the bone that carries it, body coordinates (3,) before the bone's motion.
        sites: by name, places where it may break.
        centre_mm: body coordinates that a technician centres on, shape (3,).
    """

    body_part: str
    person: Person
    bones: tuple[Bone, ...]
    tissue: tuple[Tissue, ...]
    landmarks: Mapping[str, tuple[str, FloatArray]]
    sites: Mapping[str, Site]
    centre_mm: FloatArray


@dataclass(frozen=True)
class Injury:
    """All fractures of a study; empty for an unbroken part.

    Attributes:
        fractures: at most one per bone.
        followers: motions of bones and tissues (by name) that go with a fragment.
        remodelling: bulges and impaction, by bone.
        kind: of the fracture, for example "colles"; None without one.
        region: for example "hip" or "pelvis".
        ao_class: AO/OTA 31 class or None.
        side: "L", "R" or None.
        gap_mm, displacement_mm, angulation_deg: of the main break.
    """

    fractures: tuple[Fracture, ...] = ()
    followers: Mapping[str, Motion] = field(default_factory=dict)
    remodelling: Mapping[str, tuple[Remodelling, ...]] = field(default_factory=dict)
    kind: str | None = None
    region: str | None = None
    ao_class: str | None = None
    side: str | None = None
    gap_mm: float | None = None
    displacement_mm: float | None = None
    angulation_deg: float | None = None

    def bones(self, bones: Sequence[Bone]) -> list[Bone]:
        """The bones with these fractures."""
        broken = {fracture.bone: fracture for fracture in self.fractures}
        result = []
        for bone in bones:
            name = bone.solid.name
            changes = (*bone.remodelling, *self.remodelling.get(name, ()))
            motion = self.followers.get(name, bone.motion)
            result.append(replace(bone, fracture=broken.get(name), remodelling=changes, motion=motion))
        return result

    def tissue(self, tissue: Sequence[Tissue]) -> list[Tissue]:
        """Soft tissue that follows fragments."""
        return [replace(t, motion=self.followers.get(t.solid.name, t.motion)) for t in tissue]


@dataclass(frozen=True)
class Overlay:
    """Something flat between source and detector, or on the skin.

    Attributes:
        material: index of `physics`, for example SOFT for cloth or LEAD for a marker.
        thickness_mm: shape (rows, columns) of the image, mm along the ray.
    """

    material: int
    thickness_mm: FloatArray


@dataclass(frozen=True)
class Text:
    """Characters that the console writes into the finished image.

    Attributes:
        row, column: of the upper left corner, pixels.
        shade: brightness 0..1, shape (rows, columns).
        alpha: opacity 0..1, same shape.
    """

    row: int
    column: int
    shade: FloatArray
    alpha: FloatArray


@dataclass(frozen=True)
class Extras:
    """What else is in the body; the same for all views of a study.

    Attributes:
        gas: in the bowel.
        metal: material and solid of each piece of hardware, body frame; plaster counts as bone.
        remodelling: old healed fractures, by bone.
        tunnels: nutrient canals by bone, rows as in `Bone`.
        notes: further columns of the `images` table, for example {"gas": 1}.
    """

    gas: tuple[Solid, ...] = ()
    metal: tuple[tuple[int, Solid], ...] = ()
    remodelling: Mapping[str, tuple[Remodelling, ...]] = field(default_factory=dict)
    tunnels: Mapping[str, FloatArray] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)

    def removed(self, injury: Injury) -> bool:
        """Whether an operation took away the place of one of the fractures."""
        return any(
            _in_tunnel(self.tunnels[fracture.bone], np.asarray(surface.origin_mm))
            for fracture in injury.fractures
            if fracture.bone in self.tunnels
            for surface in fracture.surfaces
        )

    def bones(self, bones: Sequence[Bone]) -> tuple[Bone, ...]:
        """The bones with what these extras did to them."""
        none = np.zeros((0, 7))
        return tuple(
            replace(
                bone,
                remodelling=(*bone.remodelling, *self.remodelling.get(bone.solid.name, ())),
                tunnels=np.concatenate([bone.tunnels, self.tunnels.get(bone.solid.name, none)]),
            )
            for bone in bones
        )


def _in_tunnel(tunnels: FloatArray, point_mm: FloatArray) -> bool:
    """Whether a point lies in one of the tunnels, shape (n, 7)."""
    for row in tunnels:
        start, along = row[:3], row[3:6] - row[:3]
        share = np.clip((point_mm - start) @ along / (along @ along + 1e-12), 0.0, 1.0)
        if np.linalg.norm(point_mm - start - share * along) < row[6]:
            return True
    return False


@dataclass(frozen=True)
class Shot:
    """One exposure.

    Attributes:
        view: DICOM View Position.
        laterality: DICOM Image Laterality, "L", "R", "B" or "U".
        pose: of the body.
        detector: the grid of rays.
        exposure: beam, detector and processing.
        step_mm: of the integration through bone.
        overlays: clothing, catheters, markers.
        notes: further columns of the `images` table, for example {"catheter": 1}.
        field: collimated field as (x, y) corners in pixels, shape (4, 2), or None for the whole detector.
        field_level: what the console shows outside the field, 0 (black) to 1 (white); None for what the
            detector saw there.
        grid_lines: a grid artefact, or None.
        burned_text: what the console wrote into the image.
    """

    view: str
    laterality: str
    pose: Pose
    detector: Detector
    exposure: Exposure
    step_mm: float = 0.75
    overlays: tuple[Overlay, ...] = ()
    notes: Mapping[str, object] = field(default_factory=dict)
    field: FloatArray | None = None
    field_level: float | None = 0.0
    grid_lines: GridLines | None = None
    burned_text: tuple[Text, ...] = ()

    @property
    def size(self) -> int:
        """Rows and columns of the image."""
        return self.detector.rows // self.detector.per_pixel

    @property
    def spacing_mm(self) -> float:
        """Pixel size in the detector plane."""
        return self.detector.pitch_mm * self.detector.per_pixel


@dataclass(frozen=True)
class Severity:
    """How much a fracture shows, before a site turns it into millimetres.

    Attributes:
        gap_mm: width of the gap.
        motion: 0 for undisplaced, 1 for the most displaced fracture that the site knows.
        incomplete: whether one cortex stays whole.
        in_plane: whether the motion lies in the plane of the frontal image.
    """

    gap_mm: float
    motion: float
    incomplete: bool
    in_plane: bool


@dataclass(frozen=True)
class SceneKind:
    """A scene by its parts; `generate` joins them.

    Attributes:
        name: for example "pelvis".
        views: DICOM View Positions of a study, in order.
        anatomy: draws the part of a person.
        injury: draws an injury of the given kind, or of any kind with its usual frequency.
        extras: draws what else is in the body; the last argument says whether metal is among it.
        shot: draws an exposure of a view: generator, anatomy, view, rows and columns.
        kinds: names of the injuries.
        person: draws the person.
    """

    name: str
    views: tuple[str, ...]
    anatomy: Callable[[Generator, Person], Anatomy]
    injury: Callable[[Generator, Anatomy, Severity, str | None], Injury]
    extras: Callable[[Generator, Anatomy, bool], Extras]
    shot: Callable[[Generator, Anatomy, str, int], Shot]
    kinds: tuple[str, ...]
    person: Callable[[Generator], Person]
