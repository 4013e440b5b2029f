"""TLS on bad days: handshakes that stall, attempts that are cancelled, hosts that end."""

from __future__ import annotations

import pytest

from tests.transports.authority import authority
from tests.transports.programs import LOOPS
from tests.transports.test_storms import FACTORIES, ours


def tls() -> str:
    """Return the text that makes a program's two TLS contexts."""
    ours = authority()
    return f"""
import ssl
folder = tempfile.TemporaryDirectory()
with open(os.path.join(folder.name, 'server.pem'), 'wb') as file:
    file.write({ours.issue("localhost").both!r})
serverContext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
serverContext.load_cert_chain(file.name)
folder.cleanup()
clientContext = ssl.create_default_context(cadata={ours.certificate.decode()!r})
"""


@pytest.mark.parametrize("loop", LOOPS)
def test_handshakes_that_stall_by_the_hundred(loop: str) -> None:
    """Peers that stop within TLS's handshake, or speak no TLS, keep nobody else from theirs."""
    done = ours(
        """
        from twisted.internet import ssl as tls, threads
        class Echo(Side):
            def dataReceived(self, data):
                self.transport.write(data)
        def hello():
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = clientContext.wrap_bio(incoming, outgoing, server_hostname='localhost')
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                return outgoing.read()
        def proper(number):
            with socket.create_connection(('127.0.0.1', number), timeout=20) as plain:
                with clientContext.wrap_socket(plain, server_hostname='localhost') as peer:
                    peer.sendall(b'well')
                    return peer.recv(10)
        async def main():
            server = Server(Echo)
            port = reactor.listenSSL(0, server, serverContext, interface='127.0.0.1')
            peers = []
            half = hello()
            for number in range(300):
                # In a thread: it waits while the backlog is full, and only the loop empties that.
                address = ('127.0.0.1', port.getHost().port)
                peer = await threads.deferToThread(socket.create_connection, address)
                peers.append(peer)
                if number % 3 == 1:
                    peer.sendall(half[: number % len(half)])
                elif number % 3 == 2:
                    peer.sendall(half)
            print(await threads.deferToThread(proper, port.getHost().port))
            for peer in peers[::2]:
                peer.close()
            for peer in peers[1::2]:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                peer.close()
            while len(reactor._transports.open) > 1:
                await later(0.001)
            await port.stopListening()
            print(sorted(each[0] for each in notes['server']).count('lost'))
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
        tls(),
        timeout=100,
    )
    assert done.stdout.splitlines()[0] == "b'well'"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("loop", LOOPS)
def test_the_hosts_loop_ends_with_open_tls(loop: str) -> None:
    """A host that ends with TLS connections open, some within their handshake, ends all of them."""
    done = ours(
        """
        import asyncio
        from twisted.internet import ssl as tls
        async def main():
            server = Server(Side)
            port = reactor.listenSSL(0, server, serverContext, interface='127.0.0.1')
            client = Client(Side)
            reactor.connectSSL('127.0.0.1', port.getHost().port, client, clientContext)
            stalled = [socket.create_connection(('127.0.0.1', port.getHost().port))
                for _ in range(5)]
            while len(server.made) < 6 or not client.made:
                await asyncio.sleep(0.001)
            client.made[0].transport.write(b'hello')
            while ('data', b'hello') not in notes['server']:
                await asyncio.sleep(0.001)
            return stalled
        factory = LOOP
        with asyncio.Runner(loop_factory=factory) as runner:
            stalled = runner.run(main())
        print([each[0] for each in notes['server']].count('lost'), notes['client'][-1][0])
        for each in stalled:
            print(each.recv(10))
            each.close()
        """.replace(
            "LOOP",
            FACTORIES[loop],
        ),
        loop,
        tls(),
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "6 lost", done.stderr
    assert lines[1:] == ["b''"] * 5
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("loop", LOOPS)
def test_a_TLS_attempt_that_is_cancelled_at_each_stage(loop: str) -> None:
    """Also within a handshake that stalls: the Deferred fails, and no socket stays open."""
    done = ours(
        """
        import asyncio
        from twisted.internet import endpoints
        async def main():
            stalled = socket.create_server(('127.0.0.1', 0))
            server = Server(Side)
            port = reactor.listenSSL(0, server, serverContext, interface='127.0.0.1')
            seen = set()
            for number in (stalled.getsockname()[1], port.getHost().port):
                for turns in (0, 1, 2, 3, 4, 6, 8, 12, 20, 60):
                    plain = endpoints.TCP4ClientEndpoint(reactor, '127.0.0.1', number)
                    answer = endpoints.wrapClientTLS(clientContext, plain).connect(
                        protocol.Factory.forProtocol(protocol.Protocol))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    answer.cancel()
                    try:
                        (await answer).transport.abortConnection()
                    except error.ConnectingCancelledError:
                        seen.add('cancelled')
            while len(reactor._transports.open) > 1:
                await later(0.001)
            print(seen, [each for each in server.made if each.transport.connected])
            stalled.close()
            await port.stopListening()
        task.react(lambda reactor: defer.ensureDeferred(main()))
        """,
        loop,
        tls(),
    )
    assert done.stdout.splitlines() == ["{'cancelled'} []"]
    assert "Traceback" not in done.stderr
