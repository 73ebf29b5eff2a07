"""TEMPORARY stand-in scene: one thick tube, to try the engine until the real scenes are there."""

import numpy as np
from crepitus.phantom.scene import *
from crepitus.phantom.scenes.common import *
from crepitus.phantom.solid.clay import Clay, Stuff, curve
from crepitus.phantom.injuries.fracture import *
from crepitus.phantom.xray.project import Bone, Tissue


def anatomy(g, person):
    c = Clay(np.array([-40.0, -110, -40]), np.array([40.0, 110, 40]), 2.0)
    k = curve(np.array([[0, -100, 0.0], [3, 0, 0], [0, 100, 0]]), 12)
    c.tube(k, np.full(12, 14.0), Stuff(4, 0.1, 4))
    bone = c.finish("bone")
    t = Clay(np.array([-80.0, -200, -80]), np.array([80.0, 200, 80]), 5.0)
    t.tube(np.array([[0, -190.0, 0], [0, 190, 0]]), np.array([55.0, 45]), Stuff(person.fat_mm, 0.9, 4))
    sites = {
        "shaft": Site("bone", np.array([3.0, 0, 0]), np.array([[0, 1.0, 0], [1, 0, 0], [0, 0, -1.0]]), 14.0)
    }
    return Anatomy(
        "LEG",
        person,
        (Bone(bone),),
        (Tissue(t.finish("tissue")),),
        {"mid": ("bone", np.array([3.0, 0, 0]))},
        sites,
        np.zeros(3),
    )


def injury(g, a, severity, kind):
    s = a.sites["shaft"]
    surface = Surface(s.origin_mm, s.axes, severity.gap_mm, (float(g.normal(0, 0.4)), 0.0), 0.0, 0.6)
    motion = Motion(translation=np.array([severity.motion * 12, 0, 0]))
    return Injury(
        (Fracture("bone", (surface,), (Fragment((1,), motion),), "transverse"),),
        kind="transverse",
        gap_mm=severity.gap_mm,
    )


def shot(g, a, view, size):
    return Shot(
        view,
        "U",
        posed(rotation(0, float(g.normal(0, 5)), float(g.normal(0, 8))), a.centre_mm, np.array([0, 0, 80.0])),
        detector_for(size, 230.0, 1150.0),
        draw_exposure(g, size, 230.0, (60.0, 70.0), (0.1, 0.4)),
        field=draw_collimation(g, size),
    )


SLAB = SceneKind(
    "slab", ("AP",), anatomy, injury, lambda g, a, metal: Extras(), shot, ("transverse",), draw_adult
)
