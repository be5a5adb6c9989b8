"""Floor 2, asyncio: the tasks that carry the core through real time."""
