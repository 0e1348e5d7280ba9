#!/usr/bin/env python3
"""A testee for test_helper.py: one subject that does whatever a subject should not, or seldom does.

Usage: odd_testee.py asyncio|anyio|trio
"""

import functools
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from assay_testee import Aggregate, Broken, Cancelled, Closed, Host, OperationError, Rejected, TimedOut, subject

RUNTIME = sys.argv[1]
if RUNTIME == "trio":
    import trio as runtime
    from assay_testee.trio_trial import TrioHost

    CANCELLED = runtime.Cancelled
else:
    import asyncio as runtime

    CANCELLED = runtime.CancelledError

    from assay_testee.anyio_trial import AnyioTrial
    from assay_testee.asyncio_trial import AsyncioTrial


@subject("odd", contract="bounded_queue", features=["Größe"], cites="–")
class Odd:
    def __init__(self, env, config):
        if config.get("fails"):
            raise OSError("no room")
        self.env = env
        self.log = []

    def destroy(self):
        print("destroyed")

    # ---- what is immediate

    def echo(self, value):
        return value

    def said(self):
        said, self.log = self.log, []
        return said

    def what_is_no_json(self):
        return {1, 2}

    def not_a_number(self):
        return float("nan")

    def breaks(self):
        raise KeyError("no such thing")

    def exits(self):
        sys.exit(3)

    def prints(self):
        print("a stray word")
        os.write(1, b"another\n")
        subprocess.run(["/bin/echo", "and a third"], check=True)
        return sys.stdin.read()

    def tells(self, value):
        self.env.tell("told", name=value)  # whatever an argument is called

    def hook(self):
        self.env.unhandled(OperationError("lost"))

    def chance(self):
        return [random.random(), RUNTIME]

    # ---- operations

    async def at_once(self):
        self.log.append("at_once")
        return 7

    async def sleep(self, seconds):
        await runtime.sleep(seconds)

    async def moves_on(self, seconds):
        if RUNTIME == "asyncio":
            try:
                async with runtime.timeout(seconds):
                    await runtime.sleep(float("inf"))
            except TimeoutError:
                return
        library = runtime
        if RUNTIME == "anyio":
            import anyio as library
        with library.move_on_after(seconds):
            await library.sleep_forever()

    async def sleep_later(self, seconds):
        for _ in range(3):
            await runtime.sleep(0)
        await runtime.sleep(seconds)

    async def passes(self):
        while True:
            self.log.append("pass")
            await runtime.sleep(0)

    async def waits_twice(self):
        for _ in range(2):
            try:
                await runtime.sleep(float("inf"))
            except CANCELLED:
                self.log.append("asked")

    async def wait(self):
        try:
            await runtime.sleep(float("inf"))
        finally:
            self.log.append("stopped")

    @functools.wraps(wait)
    def wrapped(self):
        return self.wait()

    async def call(self, name):
        return await self.env.call(name, number=1)

    async def ends_with(self, kind):
        raise {
            "error": OperationError("boom"),
            "closed": Closed(),
            "timed_out": TimedOut(),
            "rejected": Rejected("full"),
            "broken": Broken("pipe"),
            "cancelled": Cancelled(),
            "aggregate": Aggregate([("ä", OperationError("a fails")), ("b", Closed())]),
            "group": BaseExceptionGroup("several", [OperationError("a fails"), ValueError("b")]),
            "exit": SystemExit(3),
            "interrupt": KeyboardInterrupt(),
            "generator": GeneratorExit(),
            "own": OSError("no room"),
        }[kind]

    async def race(self, names):
        """Waits for each, in an order that the runtime chooses."""

        async def one(name):
            await runtime.sleep(0.001)
            self.log.append(name)

        if RUNTIME == "trio":
            async with runtime.open_nursery() as nursery:
                for name in names:
                    nursery.start_soon(one, name)
        else:
            await runtime.wait({runtime.create_task(one(name)) for name in names})

    async def stops(self, names):
        """Cancels them all, in an order that sets decide."""

        async def one(name):
            try:
                await runtime.sleep(float("inf"))
            finally:
                self.log.append(name)

        if RUNTIME == "trio":
            async with runtime.open_nursery() as nursery:
                for name in names:
                    nursery.start_soon(one, name)
                await runtime.sleep(0)
                nursery.cancel_scope.cancel()
        else:
            tasks = {runtime.create_task(one(name)) for name in names}
            await runtime.sleep(0)
            for task in tasks:
                task.cancel()
            await runtime.wait(tasks)

    async def many(self, count):
        await self.race(range(count))
        return len(self.log)

    async def leaves_generator(self):
        async def numbers():
            try:
                yield 1
            finally:
                self.log.append("closing")
                await runtime.sleep(0)
                self.log.append("closed")

        async for _ in numbers():
            break

    async def cleans_up(self):
        try:
            await runtime.sleep(float("inf"))
        except CANCELLED:
            pass
        finally:
            await runtime.sleep(0)

    async def refuses(self):
        """Never ends, whoever asks."""
        while True:
            try:
                await runtime.sleep(3600)
            except BaseException:
                self.log.append("refused")
                if RUNTIME == "trio":  # an endless loop of its own would hang
                    with runtime.CancelScope(shield=True):
                        await runtime.sleep(3600)

    async def thread(self):
        await runtime.to_thread(print, "elsewhere")

    async def leaves(self):
        """Leaves a failed future in a cycle, which nobody has asked."""
        future = runtime.get_running_loop().create_future()
        future.itself = future
        future.set_exception(OperationError("never asked"))


if __name__ == "__main__":
    if RUNTIME == "trio":
        TrioHost("odd").serve()
    else:
        Host("odd", AnyioTrial if RUNTIME == "anyio" else AsyncioTrial).serve()
