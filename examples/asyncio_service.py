"""An asyncio server that uses twistlike for what has to do with threads: no set-up, its own loop.

It serves requests on loopback, computes in the reactor's thread pool, and takes the readings of a
sensor that only knows how to call from a thread of its own. Clients in the same program ask it;
then it ends by itself.

    python examples/asyncio_service.py
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from contextvars import ContextVar

from twistlike.internet import reactor, threads

client: ContextVar[str] = ContextVar("client", default="nobody")


def say(what: str) -> None:
    """Print a line that tells in which thread it was said."""
    inLoop = threading.current_thread() is threading.main_thread()
    inPool = threading.current_thread() in reactor.getThreadPool().threads
    where = "loop" if inLoop else "pool" if inPool else "sensor"
    print(f"  [{where:6}] {what}\n", end="", flush=True)  # one write: threads share the output


class Service:
    """Answers lines of text. Everything but :meth:`digest` runs in the loop's thread: no locks."""

    def __init__(self) -> None:
        self.readings: list[int] = []
        self.heartbeats = 0
        self._enough = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a request a line, an answer a line."""
        async for line in reader:
            command, _, argument = line.decode().strip().partition(" ")
            writer.write((await self.answer(command, argument) + "\n").encode())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def answer(self, command: str, argument: str) -> str:
        """What a request is answered with."""
        if command == "digest":
            client.set(argument)  # what the pool's job sees, and no other request
            # A Deferred, awaited in a task: the loop serves others meanwhile.
            return await threads.deferToThread(self.digest)
        if command == "readings":
            await self._enough.wait()
            return f"{len(self.readings)} readings, the sum is {sum(self.readings)}"
        return f"unknown command {command}"

    def digest(self) -> str:
        """Something that takes its time, for the client whose request this is. Thread: a pool's."""
        say(f"computes for {client.get()}")
        salt = client.get().encode()
        return hashlib.pbkdf2_hmac("sha256", b"secret", salt, 100_000).hex()[:16]

    def reading(self, value: int) -> int:
        """Take a reading of the sensor."""
        self.readings.append(value)
        if len(self.readings) == 5:
            self._enough.set()
        return len(self.readings)

    def beat(self) -> None:
        """Count the time, in hundredths of a second."""
        self.heartbeats += 1
        reactor.callLater(0.01, self.beat)


def sensor(service: Service) -> None:
    """A driver with a thread of its own: hands in its readings, and asks once what came of it."""
    for value in (3, 1, 4, 1):
        reactor.callFromThread(service.reading, value)
    count = threads.blockingCallFromThread(reactor, service.reading, 5)
    say(f"the service has {count} readings, in the order in which they were made")


async def ask(port: int, *requests: str) -> None:
    """A client: connect, ask, print the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write((request + "\n").encode())
        answer = (await reader.readline()).decode().strip()
        say(f"{request}: {answer}")
    writer.close()
    await writer.wait_closed()


async def main() -> None:
    """The service, its sensor, and three clients at once."""
    service = Service()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        service.beat()
        thread = threading.Thread(target=sensor, args=(service,))
        thread.start()
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(ask(port, "digest anna", "digest bert"))
            group.create_task(ask(port, "digest cleo"))
            group.create_task(ask(port, "readings", "dance"))
        await asyncio.to_thread(thread.join)
    say(f"the loop had time for other things: {service.heartbeats > 1}")
    say(f"still the same readings: {service.readings}")


asyncio.run(main())
print("ended")
