"""anyio on asyncio: operations are cancelled, and callbacks are waited for, in anyio's own way. On Trio, TrioTrial does."""

import asyncio

import anyio
import anyio.lowlevel
import sniffio

from . import level_triggered, outcomes
from .asyncio_trial import AsyncioTrial


class _Call:
    def __init__(self):
        self.scope = anyio.CancelScope()
        self.entered = False
        self.cancelled = False


class AnyioTrial(AsyncioTrial):
    def __init__(self, seed):
        super().__init__(seed)
        sniffio.current_async_library_cvar.set("asyncio")  # immediate calls come from no task
        self.calls = {}

    # ---- calls

    async def checkpoint(self):
        await anyio.lowlevel.checkpoint()

    def start(self, call_id, coroutine, name):
        self.calls[call_id] = call = _Call()
        super().start(call_id, self._in_scope(call_id, call, coroutine), name)

    async def _in_scope(self, call_id, call, coroutine):
        try:
            with call.scope:
                call.entered = True
                if call.cancelled:
                    call.scope.cancel()
                return await coroutine
        finally:
            del self.calls[call_id]
        raise outcomes.Cancelled()  # the scope has caught it

    def cancel(self, call_id):
        call = self.calls.get(call_id)
        if call is None:
            return
        call.cancelled = True
        if call.entered:  # anyio 3 forgets a cancel that comes before
            call.scope.cancel()

    # ---- callbacks

    async def call_back(self, object_id, name, args):
        return await level_triggered.call_back(self, anyio, asyncio.CancelledError, object_id, name, args)
