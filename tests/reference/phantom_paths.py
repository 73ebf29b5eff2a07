"""Path lengths through a bone by brute force: one ray at a time, many tiny steps, no shortcuts."""

import numpy as np


def path_lengths(bone, detector, pose, row, column, step=0.02, reach=400.0):
    """Compact and occupied length in mm along the ray of one element; roughness and texture are flat."""
    x = detector.origin_mm[0] + (column + 0.5) * detector.pitch_mm
    y = detector.origin_mm[1] + (row + 0.5) * detector.pitch_mm
    start = np.array([x, y, 0.0])
    towards = (
        np.array(detector.source_mm) - start if np.isfinite(detector.source_mm[2]) else np.array([0, 0, 1.0])
    )
    direction = towards / np.linalg.norm(towards)
    t = np.arange(-reach, reach, step) + step / 2
    world = start + t[:, None] * direction
    compact = occupied = 0.0
    fracture = bone.fracture
    parts = [(None, None)] if fracture is None else list(enumerate([None, *fracture.fragments]))
    for number, fragment in parts:
        body = (world - pose.origin_mm) @ pose.axes.T
        body = _back(bone.motion, body)
        if fragment is not None:
            body = _back(fragment.motion, body)
        channels = bone.solid.sample(body)
        inside = channels[:, 0] < 0
        if fracture is not None:
            heights = np.stack([_height(s, body) for s in fracture.surfaces], axis=1)
            inside &= _part(fracture, heights) == number
            for k, surface in enumerate(fracture.surfaces):
                cuts = np.abs(heights[:, k]) < surface.gap_mm / 2
                if k:
                    cuts &= surface.side * heights[:, 0] >= 0
                inside &= ~cuts
        occupied += step * inside.sum()
        compact += step * (inside & (-channels[:, 0] < channels[:, 1])).sum()
    return compact, occupied


def _back(motion, points):
    return (points - motion.pivot - motion.translation) @ motion.matrix() + motion.pivot


def _height(surface, points):
    s, a, b = np.asarray(surface.axes) @ (points - surface.origin_mm).T
    slope = np.hypot(*surface.tilt) + abs(surface.pitch_mm) / 60
    height = s - surface.tilt[0] * a - surface.tilt[1] * b - surface.pitch_mm * np.arctan2(b, a) / (2 * np.pi)
    return height / np.sqrt(1 + slope**2)


def _part(fracture, heights):
    part = np.zeros(len(heights), dtype=int)
    for number in range(len(fracture.fragments), 0, -1):
        signs = np.array(fracture.fragments[number - 1].signs)
        part[(signs * heights >= 0).all(axis=1)] = number
    return part
