"""Polarity: images whose background is white are inverted, so that bone is bright."""

from __future__ import annotations

from dataclasses import replace

from crepitus.prepare.plan import Picture, Plan
from crepitus.prepare.thesis import is_inverted as is_inverted_by_corners


def with_bright_bone(plan: Plan, heuristic: str) -> Plan:
    """The plan, inverted where the picture says so."""
    picture, _ = plan.picture()
    inverted = is_inverted_by_corners(picture) if heuristic == "thesis" else is_inverted(picture)
    return replace(plan, inverted=not plan.inverted) if inverted else plan


def is_inverted(picture: Picture) -> bool:
    """Whether bone is dark in a picture, shape (h, w), 0..1."""
    return is_inverted_by_corners(picture)
