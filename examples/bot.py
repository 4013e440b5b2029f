"""A bot: a loop that runs for long, and a client library that has threads of its own.

The library only knows callbacks, and calls them in its thread. The bot works on the messages in the
loop's thread, in order, and answers through the library, which blocks.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable

from twistlike.internet import reactor, task, threads


class Client:
    """Stands for a library of somebody else's, such as one for MQTT or a chat."""

    def __init__(self, onMessage: Callable[[str], object]) -> None:
        self._onMessage = onMessage
        self._incoming: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run)
        self.sent: list[str] = []

    def start(self) -> None:
        """Start the library's thread."""
        self._thread.start()

    def receive(self, text: str) -> None:
        """Have a message come in."""
        self._incoming.put(text)

    def send(self, text: str) -> None:
        """Block until a message has gone out. Thread: any but the loop's."""
        self.sent.append(text)

    def stop(self) -> None:
        """Block until the library's thread has ended."""
        self._incoming.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (text := self._incoming.get()) is not None:
            self._onMessage(text)


async def main() -> None:
    """Run the bot until it is told to stop."""
    stopped = asyncio.Event()
    counts: dict[str, int] = {}

    def onMessage(text: str) -> None:
        """Thread: the library's. Hand the message over, and return at once."""
        reactor.callFromThread(handle, text)

    def handle(text: str) -> None:
        """Thread: the loop's, so that the counts need no lock."""
        counts[text] = counts.get(text, 0) + 1
        if text == "stop":
            stopped.set()
        else:
            threads.deferToThread(client.send, f"{text} number {counts[text]}")

    client = Client(onMessage)
    async with reactor:
        heartbeat = task.LoopingCall(client.receive, "tick")
        client.start()
        heartbeat.start(0.01)
        await task.deferLater(reactor, 0.035)
        heartbeat.stop()
        client.receive("stop")
        await stopped.wait()
        await threads.deferToThread(client.stop)
    print(sorted(client.sent)[:3])


if __name__ == "__main__":
    asyncio.run(main())
