"""Factors on the learning rate by hand: steps, plateaus, and one schedule for each stage."""

import pytest

from crepitus.methods.base import TrainingConfig
from crepitus.train.module import plateau_factor, rate_factor
from crepitus.train.stages import stage_bounds


def test_steps_by_hand():
    # 3 steps an epoch, halved every 2 epochs: epochs 0, 1 | 2, 3 | 4.
    options = TrainingConfig(schedule="step", step_epochs=2, step_factor=0.5, epochs=5)
    factor = rate_factor(options, {}, 3)
    assert [factor(step) for step in (0, 5, 6, 11, 12)] == [1, 1, 0.5, 0.5, 0.25]
    own = rate_factor(options, {"step_epochs": 1, "step_factor": 0.1}, 3)
    assert own(6) == pytest.approx(0.01)


def test_a_plateau_by_hand():
    # Patience 2: 0.9 is the lowest; 1.0 and 0.95 wait, then times 0.1; 0.8 is lower; null waits.
    options = TrainingConfig(schedule="plateau", step_epochs=2, step_factor=0.1)
    losses = [1.0, 0.9, 1.0, 0.95, 0.8, 0.8, None]
    found = [plateau_factor(losses[:n], options) for n in range(8)]
    assert found == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01])


def test_every_stage_has_the_schedule_from_its_beginning():
    options = TrainingConfig(schedule="one-cycle", warmup_fraction=0.5, epochs=8)
    factor = rate_factor(options, {}, 1, (4,))
    # Each stage of 4 steps warms up over 2 and falls over 2: 1/2, 1, 1, 1/2.
    assert [factor(step) for step in range(8)] == pytest.approx([0.5, 1, 1, 0.5] * 2)


def test_bounds_of_stages_by_hand():
    found = [stage_bounds(epoch, (4, 7), 10) for epoch in range(10)]
    assert found == [(0, 4)] * 4 + [(4, 7)] * 3 + [(7, 10)] * 3
    assert stage_bounds(5, (), 10) == (0, 10)
