"""A receive that is cancelled after a send has served it takes the message with it. Clauses BQ-7, BQ-11 swept.

    sent, received: cancelled, 0 left
"""

import asyncio

from mailbox import Mailbox


async def main():
    box = Mailbox(1)
    receiver = asyncio.create_task(box.receive())
    await asyncio.sleep(0)
    await box.send("hello")
    receiver.cancel()
    try:
        received = await receiver
    except asyncio.CancelledError:
        received = "cancelled"
    print(f"sent, received: {received}, {len(box)} left")


asyncio.run(main())
