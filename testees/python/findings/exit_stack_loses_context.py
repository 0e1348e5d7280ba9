"""contextlib.AsyncExitStack loses the first of two failing callbacks when the body has ended well.

Its documentation promises the behaviour of nested `with` statements, whose exceptions are chained. Known:
https://github.com/python/cpython/issues/102201. Clauses LIF-1 faulted, LIF-4, LIF-6 swept and faulted (a stop's failure is
swallowed).

    nested   RuntimeError('stop a'), context RuntimeError('stop b')
    stacked  RuntimeError('stop a'), context None
"""

import asyncio
import contextlib


class Resource:
    def __init__(self, name):
        self.name = name

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        raise RuntimeError("stop " + self.name)


async def nested():
    async with Resource("a"), Resource("b"):
        pass


async def stacked():
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(Resource("a"))
        await stack.enter_async_context(Resource("b"))


for function in (nested, stacked):
    try:
        asyncio.run(function())
    except RuntimeError as failure:
        print(f"{function.__name__:8} {failure!r}, context {failure.__context__!r}")
