"""anyio.CapacityLimiter, on asyncio, notes a borrower only when it goes on, and takes a waiter off its list only sometimes:

- who acquires before the one that was woken goes on overtakes it, and more tokens are lent than there are;
- who was woken by a raised total_tokens stays in the list, so that nobody else gets a free token.

Known: https://github.com/agronholm/anyio/issues/1170 and /pull/646. On Trio it does not. Clauses SEM-1 and SEM-4.

    asyncio, overtaken: 2 of 1 lent
    asyncio, raised:    refused beside 1 free token
    trio, overtaken: 1 of 1 lent
    trio, raised:    served
"""

import anyio


def try_to_borrow(limiter, who):
    try:
        limiter.acquire_on_behalf_of_nowait(who)
    except Exception as refusal:  # trio.WouldBlock, too: see anyio_limiter_raises_trio_s_error
        return type(refusal).__name__
    return "served"


async def overtaken():
    limiter = anyio.CapacityLimiter(1)
    limiter.acquire_on_behalf_of_nowait("holder")
    async with anyio.create_task_group() as group:
        group.start_soon(limiter.acquire_on_behalf_of, "waiter")
        await anyio.wait_all_tasks_blocked()
        limiter.release_on_behalf_of("holder")
        try_to_borrow(limiter, "newcomer")
        await anyio.wait_all_tasks_blocked()
        lent = limiter.borrowed_tokens
        group.cancel_scope.cancel()
    return f"{lent} of {limiter.total_tokens} lent"


async def raised():
    limiter = anyio.CapacityLimiter(1)
    limiter.acquire_on_behalf_of_nowait("holder")
    async with anyio.create_task_group() as group:
        group.start_soon(limiter.acquire_on_behalf_of, "waiter")
        await anyio.wait_all_tasks_blocked()
        limiter.total_tokens = 3
        await anyio.wait_all_tasks_blocked()
    how = try_to_borrow(limiter, "newcomer")
    return how if how == "served" else f"refused beside {limiter.available_tokens} free token"


for backend in ("asyncio", "trio"):
    for case in (overtaken, raised):
        print(f"{backend}, {case.__name__ + ':':10}", anyio.run(case, backend=backend))
