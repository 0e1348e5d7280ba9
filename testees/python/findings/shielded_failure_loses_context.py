"""A failure that comes through `asyncio.shield` has whoever it is raised at as its context, and no longer what led to it.

`shield` runs the cleanup in a task of its own. Its failure is raised once more where the shield is awaited, and Python then sets
the context anew: what the failed `close` was cleaning up after is gone. With two resources the failures of the first are gone
altogether. Nothing is documented. Clauses CLN-1 (a failure of each kind at once, faulted, and in programs), CLN-5 faulted.

    awaited   close a, flush a, close b, flush b, body
    shielded  close a, body
"""

import asyncio
import contextlib


async def fail(what):
    await asyncio.sleep(0)
    raise RuntimeError(what)


async def clean_up(name):
    try:
        await fail("flush " + name)
    finally:
        await fail("close " + name)


async def use(shields):
    async with contextlib.AsyncExitStack() as stack:
        for name in "a", "b":

            async def clean(*how, name=name):
                await (asyncio.shield(clean_up(name)) if shields else clean_up(name))

            stack.push_async_exit(clean)
        await fail("body")


for shields in (False, True):
    try:
        asyncio.run(use(shields))
    except RuntimeError as failure:
        found = []
        while failure:
            found.append(str(failure))
            failure = failure.__context__
        print("shielded " if shields else "awaited  ", ", ".join(found))
