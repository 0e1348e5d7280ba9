#!/usr/bin/env python3
"""The testees `anyio_asyncio` and `anyio_trio`: anyio's memory object streams and task groups on either backend.

Usage: anyio_testee.py asyncio|trio
"""

import importlib.metadata
import sys

import anyio
from assay_testee import Aggregate, Closed, Host, Outcome, Rejected, TimedOut, subject
from assay_testee.failures import leaves

BACKEND = sys.argv[1]
DOCS = "anyio.readthedocs.io/en/3.x/"


STREAMS = (
    DOCS + "streams.html#memory-object-streams: a buffer of max_buffer_size, 0 for none; send_nowait, receive_nowait; closed when "
    "the last clone is; "
)


class MemoryObjectStream:
    """Without the timed forms."""

    def __init__(self, env, config):
        try:
            self.sender, self.receiver = anyio.create_memory_object_stream(config["capacity"])
        except ValueError as failure:
            raise Rejected(str(failure)) from None

    async def push(self, item):
        try:
            await self.sender.send(item)
        except anyio.ClosedResourceError:
            raise Closed() from None

    async def pop(self):
        try:
            return await self.receiver.receive()
        except anyio.EndOfStream:
            raise Closed() from None

    def size(self):
        return self.receiver.statistics().current_buffer_used

    def try_push(self, item):
        try:
            self.sender.send_nowait(item)
        except anyio.WouldBlock:
            return False
        except anyio.ClosedResourceError:
            raise Closed() from None
        return True

    def try_pop(self):
        try:
            return self.receiver.receive_nowait()
        except anyio.WouldBlock:
            return None
        except anyio.EndOfStream:
            raise Closed() from None

    def close(self):
        self.sender.close()


def seconds(patience):
    return None if patience is None else max(patience, 0) / 1e9


@subject(
    "memory_object_stream",
    contract="bounded_queue",
    features=["try", "timed", "close", "rendezvous"],
    cites=STREAMS + "cancellation.html: fail_after raises TimeoutError if the time limit is exceeded",
)
class StreamWithFailAfter(MemoryObjectStream):
    async def push_for(self, item, patience):
        try:
            with anyio.fail_after(seconds(patience)):
                await self.push(item)
        except TimeoutError:
            raise TimedOut() from None

    async def pop_for(self, patience):
        try:
            with anyio.fail_after(seconds(patience)):
                return await self.pop()
        except TimeoutError:
            raise TimedOut() from None


@subject(
    "memory_object_stream_move_on",
    contract="bounded_queue",
    features=["try", "timed", "close", "rendezvous"],
    cites=STREAMS + "cancellation.html: move_on_after exits the block if the time limit is exceeded",
)
class StreamWithMoveOnAfter(MemoryObjectStream):
    async def push_for(self, item, patience):
        with anyio.move_on_after(seconds(patience)):
            return await self.push(item)
        raise TimedOut()

    async def pop_for(self, patience):
        with anyio.move_on_after(seconds(patience)):
            return await self.pop()
        raise TimedOut()


@subject(
    "task_group",
    contract="task_group",
    features=["cleanup", "dynamic_spawn", "nested_spawn", "body_failure"],
    cites=DOCS + "tasks.html: start_soon while the group is active, also from child tasks; if a child task, or the code in the "
    "context, raises an exception, all other child tasks are cancelled; one exception is raised as it is, several as a group",
)
class TaskGroup:
    def __init__(self, env, config):
        self.env = env
        self.group = None
        self.names = {}

    async def run(self, children):
        await self._run(children, None)

    async def run_with_body(self, children, body):
        await self._run(children, body)

    async def _run(self, children, body):
        try:
            async with anyio.create_task_group() as self.group:
                for child in children:
                    self.spawn(child)
                if body is not None:
                    await self._child(body)
        except BaseException as failure:
            # One as it is. Several as a group, which is anyio's own: a BaseException, and on Trio a MultiError as well. It holds
            # the cancellations, too, if the group was cancelled from outside.
            failures = [one for one in leaves(failure) if one in self.names]
            if not failures:
                raise
            raise Aggregate((self.names[one], one) for one in failures) from None

    def spawn(self, child):
        try:
            self.group.start_soon(self._child, child, name=child["name"])
        except RuntimeError:
            return False
        return True

    async def _child(self, child):
        try:
            await self.env.call("child", id=child["id"])
        except Outcome as failure:
            self.names[failure] = child["name"]
            raise


if __name__ == "__main__":
    libraries = {"anyio": importlib.metadata.version("anyio")}
    if BACKEND == "trio":
        import trio
        from assay_testee.trio_trial import TrioHost

        TrioHost("anyio_trio", libraries=libraries | {"trio": trio.__version__}).serve()
    else:
        from assay_testee.anyio_trial import AnyioTrial

        Host("anyio_asyncio", AnyioTrial, libraries=libraries).serve()
