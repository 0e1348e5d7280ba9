#!/usr/bin/env python3
"""The testee `asyncio`: what Python's standard library has."""

import asyncio
import platform

from assay_testee import Closed, Host, Rejected, TimedOut, subject
from assay_testee.asyncio_trial import AsyncioTrial

DOCS = f"docs.python.org/{'.'.join(platform.python_version_tuple()[:2])}/library/"


@subject(
    "Queue",
    contract="bounded_queue",
    features=["try", "timed", "join", "fair"],
    cites=DOCS + "asyncio-queue.html: put waits until a free slot is available, get until an item is available, *_nowait, "
    "task_done and join; asyncio-task.html: wait_for(). maxsize <= 0 is an infinite queue.",
)
class Queue:
    def __init__(self, env, config):
        if config["capacity"] < 1:
            raise Rejected("a maxsize below 1 asks for an infinite queue")
        self.queue = asyncio.Queue(config["capacity"])

    async def push(self, item):
        await self.queue.put(item)

    async def pop(self):
        return await self.queue.get()

    async def push_for(self, item, patience):
        await self._within(self.queue.put(item), patience)

    async def pop_for(self, patience):
        return await self._within(self.queue.get(), patience)

    @staticmethod
    async def _within(operation, patience):
        try:
            return await asyncio.wait_for(operation, None if patience is None else patience / 1e9)
        except asyncio.TimeoutError:
            raise TimedOut() from None

    def size(self):
        return self.queue.qsize()

    def try_push(self, item):
        try:
            self.queue.put_nowait(item)
        except asyncio.QueueFull:
            return False
        return True

    def try_pop(self):
        try:
            return self.queue.get_nowait()
        except asyncio.QueueEmpty:
            return None

    def done(self):
        try:
            self.queue.task_done()
        except ValueError as failure:
            raise Rejected(str(failure)) from None

    async def join(self):
        await self.queue.join()


if __name__ == "__main__":
    Host("asyncio", AsyncioTrial, libraries={"asyncio": platform.python_version()}).serve()
