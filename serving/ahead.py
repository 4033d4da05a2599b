"""The student reads the most wanted briefs before anybody asks, so that a customer waits for the question alone.

llama.cpp keeps what a model has read (its KV cache) in memory and takes it up again when a prompt begins the same way.
Reading a brief takes about a second on two cores, reading a short question less than a tenth of that. It is done one
brief at a time, only while no reply is being made, and again when the student's process was replaced.
"""

from __future__ import annotations

import asyncio
import logging

from bot import prompt
from bot.attempt import Voice
from bot.config import Desk
from data.errors import EngineError
from serving.swap import Stage, Swap
from serving.telemetry import Telemetry

LOOK_SECONDS = 1.0
log = logging.getLogger("deskmate.ahead")


async def keep_ahead(swap: Swap, desk: Desk, telemetry: Telemetry) -> None:
    """Read the live release's briefs whenever its student is a new process. Runs until cancelled."""
    reader: Voice | None = None
    while True:
        stage = swap.live
        voice = stage.student.voice if stage else None
        if stage and voice and voice is not reader and await _read(swap, stage, voice, desk, telemetry):
            reader = voice
        await asyncio.sleep(LOOK_SECONDS)


async def _read(swap: Swap, stage: Stage, voice: Voice, desk: Desk, telemetry: Telemetry) -> bool:
    """Whether everything was read; False when the student failed or was replaced on the way."""
    telemetry.read_ahead.set(0)
    for brief in stage.briefs:
        while stage.leases:
            await stage.idle.wait()
        if swap.live is not stage:
            return False
        messages = prompt.unasked(desk.name, desk.about, brief)
        try:
            async for _ in voice.engine.stream(messages, max_tokens=1, temperature=0.0, seed=0):
                pass
        except EngineError as error:
            log.warning("reading ahead stopped: %s", error)
            return False
        telemetry.read_ahead.inc()
    log.info("the student has read %d briefs ahead", len(stage.briefs))
    return True
