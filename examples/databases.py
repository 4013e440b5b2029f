"""Databases that block: a connection for each worker of a pool, by `initializer`.

SQLAlchemy with SQLite, in a pool of its own, so that queries do not wait behind other jobs.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, Engine

from twistlike.internet import reactor, threads
from twistlike.python.threadpool import ThreadPool


class Database:
    """An engine, and a pool each of whose threads has a connection."""

    def __init__(self, engine: Engine, workers: int) -> None:
        self._engine = engine
        self._local = threading.local()
        self.pool = ThreadPool(
            0, workers, "database", initializer=self._connect, finalizer=self._disconnect
        )

    def _connect(self) -> None:
        """Thread: a worker, before its first job."""
        self._local.connection = self._engine.connect()

    def _disconnect(self) -> None:
        """Thread: a worker, as it ends."""
        self._local.connection.close()

    def _run(self, statement: str, values: dict[str, object]) -> list[tuple[object, ...]]:
        connection: Connection = self._local.connection
        with connection.begin():
            result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    async def query(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        """Run a statement in a transaction of its own. Thread: the loop's."""
        return await threads.deferToThreadPool(reactor, self.pool, self._run, statement, values)


async def main() -> None:
    """Fill a table at once from many tasks, and read it."""
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder) / 'shop.db'}")
        database = Database(engine, 4)
        database.pool.start()
        async with reactor:
            await database.query("create table articles (name text, price integer)")
            insert = "insert into articles values (:name, :price)"
            articles = range(20)
            await asyncio.gather(
                *(database.query(insert, name=f"article {n}", price=n) for n in articles)
            )
            print(await database.query("select count(*), sum(price) from articles"))
        database.pool.stop()
        engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
