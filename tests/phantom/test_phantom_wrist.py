"""The wrist: anatomy that fits together, injuries that break what they name, views as in practice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crepitus.phantom.anatomy.carpus import NAMES
from crepitus.phantom.anatomy.sculpt import after
from crepitus.phantom.anatomy.wrist import build_wrist
from crepitus.phantom.injuries.fracture import Motion
from crepitus.phantom.injuries.wrist import KINDS, draw_wrist_injury
from crepitus.phantom.render import Subject, expose
from crepitus.phantom.scene import Anatomy, Extras, Injury, Person, Severity
from crepitus.phantom.scenes.wrist import draw_wrist_person, shoot
from crepitus.phantom.solid.textures import base_textures

ADULT = Person("M", 35.0, 1.0, 1.0, 18.0, 1.0)
CHILD = Person("F", 8.0, 1.0, 1.0, 14.0, 1.0)
PLAIN = Severity(1.0, 0.5, False, False)
_BUILT: dict[tuple[float, int], Anatomy] = {}


def wrist(person: Person, seed: int) -> Anatomy:
    key = (person.age, seed)
    if key not in _BUILT:
        _BUILT[key] = build_wrist(np.random.default_rng(seed), person)
    return _BUILT[key]


def of_side(left: bool, person: Person = ADULT) -> Anatomy:
    return next(a for a in (wrist(person, s) for s in range(20)) if is_left(a) == left)


def is_left(anatomy: Anatomy) -> bool:
    return anatomy.bones[0].solid.name.endswith("-L")


def solids(anatomy: Anatomy) -> dict[str, object]:
    return {bone.solid.name: bone.solid for bone in anatomy.bones}


@pytest.mark.parametrize("person", [ADULT, CHILD])
@pytest.mark.parametrize("left", [False, True])
def test_landmarks_lie_on_their_bone_and_sites_in_it(person: Person, left: bool) -> None:
    anatomy = of_side(left, person)
    by_name = solids(anatomy)
    for name, (bone, point) in anatomy.landmarks.items():
        # In a child parts of the bone around a landmark may be cartilage still.
        allowed = 2.5 if person is ADULT else 6.0
        assert by_name[bone].sample(np.asarray(point)[None])[0, 0] < allowed, name
    for name, site in anatomy.sites.items():
        assert by_name[site.bone].sample(site.origin_mm[None])[0, 0] < 0, name
        assert np.allclose(site.axes @ site.axes.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(site.axes) == pytest.approx(1.0)
        # s points to the fingers, a to the ulna or to the little finger's side of the bone.
        assert site.axes[0, 1] < 0, name


@pytest.mark.parametrize("seed", range(3))
def test_bones_do_not_overlap(seed: int) -> None:
    anatomy = wrist(ADULT, seed)
    bones = [replace(bone.solid, name=bone.solid.name[:-2]) for bone in anatomy.bones]
    for n, one in enumerate(bones):
        shape = one.field.shape[:3]
        cells = np.stack(np.meshgrid(*(np.arange(s) for s in shape), indexing="ij"), axis=-1)
        inside = one.field[..., 0] < -0.3
        points = one.origin_mm + one.spacing_mm * cells[inside]
        for other in bones[n + 1 :]:
            assert (other.sample(points)[:, 0] > 0).all(), (one.name, other.name)


def test_capitate_and_lunate_keep_an_even_gap() -> None:
    by_name = solids(of_side(False))
    lunate, capitate = by_name["lunate-R"], by_name["capitate-R"]
    shape = lunate.field.shape[:3]
    cells = np.stack(np.meshgrid(*(np.arange(s) for s in shape), indexing="ij"), axis=-1)
    points = lunate.origin_mm + lunate.spacing_mm * cells[np.abs(lunate.field[..., 0]) < 0.4]
    distance = capitate.sample(points)[:, 0]
    facing = distance[distance < 2.4]
    assert len(facing) > 30
    assert 0.7 < np.median(facing) < 2.2


def test_children_have_fewer_carpals_and_growth_plates() -> None:
    def carpals(age: float) -> set[str]:
        names = (b.solid.name[:-2] for b in wrist(replace(CHILD, age=age), 3).bones)
        return {name for name in names if name in NAMES}

    assert {"capitate", "hamate"} <= carpals(4.5)
    assert not carpals(4.5) & {"trapezoid", "pisiform"}
    assert carpals(4.5) < carpals(8.5) <= carpals(14.5) == set(NAMES)
    # Along the axis of the radius a child's bone is interrupted near the joint, an adult's is not.
    for person, parts in ((CHILD, 2), (ADULT, 1)):
        anatomy = of_side(False, person)
        site = anatomy.sites["radius-distal-R"]
        line = site.origin_mm + np.arange(0.0, 17.0, 0.25)[:, None] * site.radius_mm / 13.0 * site.axes[0]
        inside = solids(anatomy)["radius-R"].sample(line)[:, 0] < 0
        assert int(inside[0]) + int((np.diff(inside.astype(int)) == 1).sum()) == parts


@pytest.mark.parametrize("left", [False, True])
def test_thumb_lies_where_the_views_show_it(left: bool) -> None:
    anatomy = of_side(left)
    side = "L" if left else "R"
    points = np.stack(
        [anatomy.landmarks[f"metacarpal-head-{n}-{side}"][1] for n in (1, 5)]
        + [anatomy.landmarks[f"lister-{side}"][1]]
    )
    frontal = shoot(np.random.default_rng(1), anatomy, "PA", 64).pose.to_world(points)
    # Palm down, fingers up: the thumb of a right hand points to the left of the image.
    assert (frontal[0, 0] < frontal[1, 0]) == (not left)
    lateral = shoot(np.random.default_rng(1), anatomy, "LM", 64).pose.to_world(points)
    assert lateral[0, 2] > lateral[1, 2] + 30.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("person", [ADULT, CHILD])
@pytest.mark.parametrize("left", [False, True])
def test_injuries_break_the_bones_they_name(kind: str, person: Person, left: bool) -> None:
    anatomy = of_side(left, person)
    injury = draw_wrist_injury(np.random.default_rng(4), anatomy, PLAIN, kind)
    names = set(solids(anatomy))
    assert injury.fractures
    assert injury.region == "wrist"
    assert injury.side == ("L" if left else "R")
    assert injury.kind in KINDS
    if person is CHILD:
        # At 8 years the ulnar styloid is cartilage.
        assert injury.kind == (kind if kind != "ulnar-styloid" else "torus")
    assert len({f.bone for f in injury.fractures}) == len(injury.fractures)
    assert {f.bone for f in injury.fractures} <= names
    assert set(injury.followers) <= names | {t.solid.name for t in anatomy.tissue}
    assert 0 <= injury.displacement_mm < 25
    assert 0 <= injury.angulation_deg < 45
    expected = {"scaphoid-waist": "scaphoid", "ulnar-styloid": "ulna", "ulna-shaft": "ulna"}
    assert injury.fractures[0].bone[:-2] == expected.get(injury.kind, "radius")
    for fracture in injury.fractures:
        solid = solids(anatomy)[fracture.bone]
        for fragment in fracture.fragments:
            assert len(fragment.signs) == len(fracture.surfaces)
        # Bone lies on both sides of the first surface.
        cells = np.argwhere(solid.field[..., 0] < 0)
        points = solid.origin_mm + solid.spacing_mm * cells
        plane = fracture.surfaces[0].packed()
        height = points @ plane[:3] + plane[3]
        assert (height > 1).any()
        assert (height < -1).any()


@pytest.mark.parametrize("kind", KINDS)
def test_without_motion_nothing_moves(kind: str) -> None:
    still = Severity(0.0, 0.0, False, True)
    for person in (ADULT, CHILD):
        anatomy = of_side(True, person)
        injury = draw_wrist_injury(np.random.default_rng(6), anatomy, still, kind)
        assert not injury.followers
        assert not injury.remodelling
        assert all(f.motion.is_none for fracture in injury.fractures for f in fracture.fragments)


@pytest.mark.parametrize("kind", ["colles", "intraarticular", "torus", "greenstick", "salter-harris-2"])
def test_zero_gap_without_motion_changes_no_ray(kind: str) -> None:
    anatomy = of_side(False, CHILD)
    injury = draw_wrist_injury(np.random.default_rng(8), anatomy, Severity(0.0, 0.0, True, True), kind)
    shot = shoot(np.random.default_rng(2), anatomy, "PA", 64)
    textures = base_textures()
    broken = expose(Subject(anatomy, injury, Extras(), textures), shot, shot.detector)
    whole = expose(Subject(anatomy, Injury(), Extras(), textures), shot, shot.detector)
    assert np.array_equal(broken.lengths, whole.lengths)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize(("kind", "sign"), [("colles", 1.0), ("smith", -1.0)])
def test_colles_goes_to_the_back_and_smith_to_the_palm(kind: str, sign: float, left: bool) -> None:
    anatomy = of_side(left)
    injury = draw_wrist_injury(np.random.default_rng(3), anatomy, Severity(1.0, 0.8, False, False), kind)
    motion = injury.fractures[0].fragments[0].motion
    joint = np.zeros((1, 3))
    moved = motion.apply(joint)[0]
    assert sign * moved[2] > 3.0
    # The hand goes along, and becomes shorter with the radius.
    lunate = "lunate-L" if left else "lunate-R"
    rest = next(bone.motion for bone in anatomy.bones if bone.solid.name == lunate)
    follows = injury.followers[lunate].apply(joint)[0] - rest.apply(joint)[0]
    assert sign * follows[2] > 2.0


def test_same_generator_same_wrist_and_injury() -> None:
    one, two = (build_wrist(np.random.default_rng(12), CHILD) for _ in range(2))
    for a, b in zip(one.bones, two.bones, strict=True):
        assert a.solid.name == b.solid.name
        assert np.array_equal(a.solid.field, b.solid.field)
    first, second = (draw_wrist_injury(np.random.default_rng(5), one, PLAIN, None) for _ in range(2))
    assert first.kind == second.kind
    assert np.array_equal(first.fractures[0].packed()[0], second.fractures[0].packed()[0])


def test_motions_join() -> None:
    # A quarter turn about z at the origin after a shift of 1 along x: (1, 0, 0) -> (2, 0, 0) -> (0, 2, 0).
    turn = Motion(np.array([0.0, 0.0, np.pi / 2]))
    shift = Motion(translation=np.array([1.0, 0.0, 0.0]))
    assert np.allclose(after(turn, shift).apply(np.array([[1.0, 0.0, 0.0]])), [[0.0, 2.0, 0.0]])
    assert np.allclose(after(shift, turn).apply(np.array([[1.0, 0.0, 0.0]])), [[1.0, 1.0, 0.0]])
    assert after(Motion(), shift) is shift


def test_share_of_children() -> None:
    generator = np.random.default_rng(0)
    ages = np.array([draw_wrist_person(generator).age for _ in range(2000)])
    # Binomial with p = 0.3: standard deviation of the share 0.010.
    assert abs((ages < 16).mean() - 0.3) < 0.04
    assert ages.min() >= 4.0
