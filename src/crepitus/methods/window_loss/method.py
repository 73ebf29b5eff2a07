"""The method `window-loss`: configuration with the paper's values, and the thin wrapper around its parts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from crepitus.methods.base import Decoded, Method, MethodConfig, Targets
from crepitus.methods.parts.backbone import BackboneConfig
from crepitus.methods.window_loss.bounds import confidence_bounds, resize_bound
from crepitus.methods.window_loss.loss import Divergence, window_loss
from crepitus.methods.window_loss.network import PyramidNetwork, merge_levels


class LossConfig(BaseModel):
    """The Window Loss.

    Attributes:
        divergence: "kld" (Eq. 5) or "mse" (Eq. 4).
        r_lower_px: r_l, at an input of `reference_px`.
        r_upper_px: r_u, likewise.
        tau_px: tau, likewise; 0 is the hard disk.
        reference_px: side of the input for which the three lengths are given; at another
            `input.size_px` they are scaled with it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    divergence: Divergence = "kld"
    r_lower_px: float = Field(default=50.0, ge=0)
    r_upper_px: float = Field(default=200.0, ge=0)
    tau_px: float = Field(default=2.0, ge=0)
    reference_px: float = Field(default=1024.0, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> LossConfig:
        if self.r_upper_px < self.r_lower_px:
            raise ValueError(f"expected r_upper_px >= r_lower_px, got {self.r_upper_px} < {self.r_lower_px}")
        return self


class PyramidConfig(BaseModel):
    """The feature pyramid.

    Attributes:
        channels: of every level (256 as in feature pyramid networks for detection).
        prior: fracture probability of the untrained network; a low one spares the first epochs the
            work of unlearning false alarms everywhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: int = Field(default=256, ge=8)
    prior: float = Field(default=0.01, gt=0, lt=1)


class WindowLossConfig(MethodConfig):
    """Everything that can be set; the defaults are the paper's."""

    backbone: BackboneConfig = BackboneConfig()
    pyramid: PyramidConfig = PyramidConfig()
    loss: LossConfig = LossConfig()


class WindowLoss(Method[list[Tensor]]):
    """Point annotations, bounds, a pyramid of probability maps (paper 001)."""

    name = "window-loss"
    config_class = WindowLossConfig
    config: WindowLossConfig
    needs = frozenset({"points"})
    score_is_peak = True

    def network(self, *, initialise: bool) -> PyramidNetwork:
        """The pyramid network; its raw output is one tensor of logits per level."""
        return PyramidNetwork(
            self.config.backbone,
            channels=self.config.pyramid.channels,
            prior=self.config.pyramid.prior,
            initialise=initialise,
        )

    def loss(self, raw: list[Tensor], targets: Targets, size: tuple[int, int]) -> Tensor:
        """Sum over levels of the mean Window Loss over pixels (Eq. 6)."""
        lengths = self.config.loss
        scale = max(size) / lengths.reference_px
        lower, upper = confidence_bounds(
            targets.points,
            targets.place_known,
            size,
            r_lower_px=lengths.r_lower_px * scale,
            r_upper_px=lengths.r_upper_px * scale,
            tau_px=lengths.tau_px * scale,
            device=raw[0].device,
        )
        total = lower.new_zeros(())
        for logits in raw:
            level = (int(logits.shape[-2]), int(logits.shape[-1]))
            bounds = resize_bound(lower, level), resize_bound(upper, level)
            total = total + window_loss(logits, *bounds, lengths.divergence).mean()
        return total

    def decode(self, raw: list[Tensor]) -> Decoded:
        """Mean of the levels as heatmap; its maximum is the image's score."""
        heatmaps = merge_levels(raw)
        return Decoded(scores=heatmaps.flatten(1).amax(dim=1), heatmaps=heatmaps)
