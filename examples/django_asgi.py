"""A Django application under ASGI: an async view, and a plain one that asgiref runs in a thread."""

from __future__ import annotations

import asyncio
import threading

import django
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from twistlike.internet import reactor, threads


def blocking() -> str:
    """Thread: a worker of the reactor's pool."""
    return threading.current_thread().name.partition("-")[0]


async def asyncView(request: HttpRequest) -> HttpResponse:
    """Await a job."""
    return HttpResponse((await threads.deferToThread(blocking)).encode())


def plainView(request: HttpRequest) -> HttpResponse:
    """Call into the loop, from the thread in which asgiref runs this."""
    inLoop = threads.blockingCallFromThread(reactor, threading.get_ident)
    return HttpResponse(f"in another thread: {inLoop != threading.get_ident()}".encode())


urlpatterns = [path("async", asyncView), path("plain", plainView)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="example", USE_TZ=True)


async def ask(application: object, where: str) -> str:
    """Send one request through the application; return the body of its answer."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": where,
        "query_string": b"",
        "headers": [],
    }
    peer = ApplicationCommunicator(application, scope)
    await peer.send_input({"type": "http.request"})
    started = await peer.receive_output(5)
    assert started["status"] == 200, started
    body: bytes = (await peer.receive_output(5))["body"]
    await peer.wait()
    return body.decode()


async def main() -> None:
    """Ask both views."""
    django.setup()
    application = get_asgi_application()
    async with reactor:
        print("async view:", await ask(application, "/async"))
        print("plain view:", await ask(application, "/plain"))


if __name__ == "__main__":
    asyncio.run(main())
