"""Everything a running gateway holds, handed to every route; nothing lives at module level."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from bot.assistant import Cast
from bot.config import Config
from bot.launch import identity
from data.errors import EngineError
from data.workspace import Workspace
from serving.auth import Keys
from serving.swap import Stage, Swap
from serving.telemetry import Telemetry
from serving.upstream import Upstream
from serving.writer import Writer


@dataclass(slots=True)
class Deployment:
    """`teacher` is None when none is configured. `draining` refuses new work while the last replies are
    finished.
    """

    workspace: Workspace
    config: Config
    swap: Swap
    teacher: Upstream | None
    writer: Writer
    keys: Keys
    telemetry: Telemetry
    draining: bool = False

    def cast(self, stage: Stage) -> Cast:
        """Who could answer now, under a leased release's terms."""
        return Cast(
            config=self.config, search=partial(self.swap.search, stage), student=stage.student.voice,
            teacher=self.teacher.voice if self.teacher else None,
            threshold=stage.release.threshold, teacher_helps=self._teacher_helps(stage),
            sampling=stage.release.sampling,
        )  # fmt: skip

    def _teacher_helps(self, stage: Stage) -> bool:
        """The release names the teacher that does not; of any other it is believed."""
        ask, unhelpful = self.config.serving.ask_teacher, stage.release.unhelpful
        return ask == "always" or (ask == "auto" and not (unhelpful and unhelpful == identity(self.config.teacher)))

    def admit(self) -> None:
        """Raises EngineError (503) when no new work may begin."""
        if self.draining:
            raise EngineError("Deskmate is shutting down; try again in a moment")

    @property
    def ready(self) -> bool:
        live = self.swap.live
        return not self.draining and live is not None and live.student.voice is not None
