"""Cox regression that may leave inputs out: ridge and lasso together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from glioma_os.fusion.heads.contract import Setting
from glioma_os.fusion.heads.cox import Cox


@dataclass(frozen=True)
class ElasticNet(Cox):
    """`penalty` is split: `l1_share` of it on |β|, the rest on β²/2."""

    name: ClassVar[str] = "elastic_net"
    penalty: tuple[float, ...] = (10.0, 4.0, 25.0)
    l1_share: float = 0.5

    def settings(self) -> list[Setting]:
        """One per penalty."""
        return [{"l2": value * (1 - self.l1_share), "l1": value * self.l1_share} for value in self.penalty]
