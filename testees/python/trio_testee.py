#!/usr/bin/env python3
"""The testee `trio`: its memory channels and nurseries, and contextlib's exit stack on it."""

import contextlib
import math

import trio
from assay_testee import Aggregate, Closed, OperationError, Outcome, Rejected, TimedOut, subject
from assay_testee.failures import chain, leaves
from assay_testee.trio_trial import TrioHost

DOCS = "trio.readthedocs.io/en/v0.22.0/reference-core.html"


@subject(
    "memory_channel",
    contract="bounded_queue",
    features=["try", "timed", "close", "rendezvous"],
    cites=DOCS + "#trio.open_memory_channel: a buffer of max_buffer_size, 0 for none; send_nowait, receive_nowait; close of "
    "the last sender ends the channel once it is drained; #trio.fail_at: a cancelled operation did nothing",
)
class MemoryChannel:
    def __init__(self, env, config):
        try:
            self.sender, self.receiver = trio.open_memory_channel(config["capacity"])
        except ValueError as failure:
            raise Rejected(str(failure)) from None

    async def push(self, item):
        try:
            await self.sender.send(item)
        except trio.ClosedResourceError:
            raise Closed() from None

    async def pop(self):
        try:
            return await self.receiver.receive()
        except trio.EndOfChannel:
            raise Closed() from None

    async def push_for(self, item, patience):
        await self._within(self.push, patience, item)

    async def pop_for(self, patience):
        return await self._within(self.pop, patience)

    @staticmethod
    async def _within(operation, patience, *args):
        try:
            # fail_at, since fail_after refuses a time that has passed.
            with trio.fail_at(math.inf if patience is None else trio.current_time() + patience / 1e9):
                return await operation(*args)
        except trio.TooSlowError:
            raise TimedOut() from None

    def size(self):
        return self.receiver.statistics().current_buffer_used

    def try_push(self, item):
        try:
            self.sender.send_nowait(item)
        except trio.WouldBlock:
            return False
        except trio.ClosedResourceError:
            raise Closed() from None
        return True

    def try_pop(self):
        try:
            return self.receiver.receive_nowait()
        except trio.WouldBlock:
            return None
        except trio.EndOfChannel:
            raise Closed() from None

    def close(self):
        self.sender.close()


@subject(
    "nursery",
    contract="task_group",
    features=["cleanup", "dynamic_spawn", "nested_spawn", "body_failure", "always_aggregate"],
    cites=DOCS + "#nurseries-and-spawning: start_soon as long as the nursery is open, also from children; an exception in a "
    "child or the body cancels everything else; strict_exception_groups=True: always an exception group",
)
class Nursery:
    def __init__(self, env, config):
        self.env = env
        self.nursery = None
        self.names = {}

    async def run(self, children):
        await self._run(children, None)

    async def run_with_body(self, children, body):
        await self._run(children, body)

    async def _run(self, children, body):
        try:
            async with trio.open_nursery(strict_exception_groups=True) as self.nursery:
                for child in children:
                    self.spawn(child)
                if body is not None:
                    await self._child(body)
        except BaseExceptionGroup as group:
            failed, others = group.split(Outcome)
            if failed is None:
                raise
            raise Aggregate((self.names[one], one) for one in leaves(failed)) from None

    def spawn(self, child):
        try:
            self.nursery.start_soon(self._child, child, name=child["name"])
        except RuntimeError:
            return False
        return True

    async def _child(self, child):
        try:
            await self.env.call("child", id=child["id"])
        except Outcome as failure:
            self.names[failure] = child["name"]
            raise


@subject(
    "AsyncExitStack",
    contract="lifespan",
    features=["shielded_stop"],
    cites="docs.python.org/3.11/library/contextlib.html#contextlib.AsyncExitStack; " + DOCS + "#trio.CancelScope.shield",
)
class ExitStack:
    def __init__(self, env, config):
        self.env = env
        self.resources = []
        self.names = {}

    def add(self, name, start, stop):
        self.resources.append((name, start, stop))

    async def run(self, body):
        try:
            async with contextlib.AsyncExitStack() as stack:
                for name, start, stop in self.resources:
                    await self._step(name, start)
                    stack.push_async_callback(self._stop, name, stop)
                await self._step("body", body)
        except BaseException as last:
            # A cancellation that came meanwhile has the failures as its context: they are told before it.
            failures = chain(last, OperationError)
            if not failures:
                raise
            if len(failures) == 1:
                raise failures[0] from None
            raise Aggregate((self.names[one], one) for one in failures) from None

    async def _stop(self, name, number):
        with trio.CancelScope(shield=True):
            await self._step(name, number)

    async def _step(self, name, number):
        try:
            await self.env.call("step", step=number)
        except OperationError as failure:
            self.names[failure] = name
            raise


if __name__ == "__main__":
    TrioHost("trio", libraries={"trio": trio.__version__}).serve()
