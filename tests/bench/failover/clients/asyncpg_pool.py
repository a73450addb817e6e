#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A service on asyncio: asyncpg's pool as it comes, a request every 20 ms, at most 20 at once."""
import asyncio
import asyncpg
from pace import PACE, SQL, failure, say

LIMIT = 20


async def request(pool, number):
    say(number, "begin")
    try:
        await pool.execute(SQL)
        say(number, "ok")
    except (OSError, asyncio.TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        say(number, failure(getattr(error, "sqlstate", None), "%s %s" % (type(error).__name__, error)))


async def main():
    running, number = set(), 0
    async with asyncpg.create_pool() as pool:
        while True:
            if len(running) < LIMIT:
                number += 1
                task = asyncio.create_task(request(pool, number))
                running.add(task)
                task.add_done_callback(running.discard)
            await asyncio.sleep(PACE)


asyncio.run(main())
