"""Programs on connections, for Twisted and for twistlike on each kind of loop.

Each notes what happens on its side of a connection, in order, and shows that at the end: which of
the two sides is the first to hear of something is not a rule. All run in one process, one after the
other.
"""

from __future__ import annotations

__all__ = ["HEADER", "LOOPS", "PROGRAMS"]

LOOPS = {
    "asyncio": "",
    "uvloop": """
        import uvloop
        from twisted.internet import asyncioreactor
        asyncioreactor.setLoopFactory(uvloop.new_event_loop)
        """,
    "debug": """
        import asyncio
        from twisted.internet import asyncioreactor
        def newLoop():
            loop = asyncio.new_event_loop()
            loop.set_debug(True)
            loop.slow_callback_duration = 60
            return loop
        asyncioreactor.setLoopFactory(newLoop)
        """,
    # As Windows' Proactor loop, which has no such thing.
    "no add_reader": """
        import asyncio
        from twisted.internet import asyncioreactor
        class Loop(asyncio.SelectorEventLoop):
            def add_reader(self, *args): raise NotImplementedError
            def add_writer(self, *args): raise NotImplementedError
        asyncioreactor.setLoopFactory(Loop)
        """,
}
"""What comes first in a program for twistlike to have it run on a kind of loop."""

HEADER = """
    import os, socket, struct, sys, tempfile
    from zope.interface import implementer
    from twisted.internet import defer, error, interfaces, protocol, reactor, task

    notes = {}

    def note(who, *what):
        notes.setdefault(who, []).append(what)

    class Side(protocol.Protocol):
        who = 'server'
        def connectionMade(self):
            note(self.who, 'made', self.transport.connected)
            self.ended = defer.Deferred()
            self.factory.made.append(self)
            self.begin()
        def begin(self):
            pass
        def dataReceived(self, data):
            note(self.who, 'data', data)
        def connectionLost(self, reason):
            note(self.who, 'lost', reason.type.__name__, self.transport.connected)
            self.ended.callback(None)

    class Server(protocol.ServerFactory):
        def __init__(self, protocol):
            self.protocol, self.made = protocol, []
        def doStart(self):
            note('factory of the server', 'doStart')
            super().doStart()
        def doStop(self):
            note('factory of the server', 'doStop')
            super().doStop()

    class Client(protocol.ClientFactory):
        def __init__(self, protocol):
            self.protocol, self.made, self.over = protocol, [], defer.Deferred()
        def note(self, *what):
            note('factory of the client', *what)
        def doStart(self):
            self.note('doStart')
        def doStop(self):
            self.note('doStop')
        def startedConnecting(self, connector):
            self.note('started', connector.state)
        def buildProtocol(self, addr):
            self.note('build', type(addr).__name__)
            made = super().buildProtocol(addr)
            if made is not None:
                made.who = 'client'
            return made
        def clientConnectionFailed(self, connector, reason):
            self.note('failed', reason.type.__name__, connector.state)
            self.over.callback(None)
        def clientConnectionLost(self, connector, reason):
            self.note('lost', reason.type.__name__, connector.state)
            self.over.callback(None)

    async def later(seconds=None):
        # Without a time: for as many turns as anything here takes.
        for _ in range(20 if seconds is None else 1):
            await task.deferLater(reactor, seconds or 0.001)

    async def pair(serverSide, clientSide):
        server, client = Server(serverSide), Client(clientSide)
        port = reactor.listenTCP(0, server, interface='127.0.0.1')
        connector = reactor.connectTCP('127.0.0.1', port.getHost().port, client)
        while not (server.made and client.made):
            await later(0.001)
        return port, server.made[0], client.made[0], connector

    async def over(port, *sides):
        for side in sides:
            await side.ended
        await later(0.001)
        await port.stopListening()

    async def runAll(programs):
        for name, text in programs.items():
            notes.clear()
            space = dict(globals())
            exec(text, space)
            await space['main']()
            print('==', name)
            show()

    def show():
        for who in sorted(notes):
            for each in notes[who]:
                print(who, *each)
    """

PROGRAMS = {
    "echo": """
        class Echo(Side):
            def dataReceived(self, data):
                super().dataReceived(data)
                self.transport.write(data)
        class Asker(Side):
            def dataReceived(self, data):
                super().dataReceived(data)
                self.transport.loseConnection()
                self.transport.write(b'')
        async def main():
            port, server, client, connector = await pair(Echo, Asker)
            try:
                client.transport.write('text')
            except TypeError as error:
                note('client', 'refused', error)
            note('ends', client.transport.getPeer() == server.transport.getHost(),
                client.transport.getHost() == server.transport.getPeer(),
                client.transport.getPeer().port == port.getHost().port)
            for flag in (True, False):
                client.transport.setTcpNoDelay(flag)
                client.transport.setTcpKeepAlive(flag)
                note('options', bool(client.transport.getTcpNoDelay()),
                    bool(client.transport.getTcpKeepAlive()))
            client.transport.write(b'a')
            client.transport.writeSequence([b'b', b'c'])
            await over(port, server, client)
            client.transport.write(b'more')
            client.transport.loseConnection()
            client.transport.abortConnection()
        """,
    "much is pending when the connection is to be closed": """
        class Writer(Side):
            def begin(self):
                self.transport.write(b'x' * 3000000)
                self.transport.loseConnection()
                self.transport.write(b'y' * 10)
        class Counter(Side):
            count = 0
            def dataReceived(self, data):
                self.count += len(data)
            def connectionLost(self, reason):
                note('client', 'got', self.count)
                super().connectionLost(reason)
        async def main():
            port, server, client, _ = await pair(Writer, Counter)
            await over(port, server, client)
        """,
    "half close": """
        @implementer(interfaces.IHalfCloseableProtocol)
        class Half(Side):
            def readConnectionLost(self):
                note(self.who, 'read lost')
                self.transport.write(b'still')
                self.transport.loseConnection()
            def writeConnectionLost(self):
                note(self.who, 'write lost')
        async def main():
            port, server, client, _ = await pair(Half, Half)
            client.transport.write(b'last')
            client.transport.loseWriteConnection()
            await over(port, server, client)
        """,
    "half close, each side by itself": """
        @implementer(interfaces.IHalfCloseableProtocol)
        class Half(Side):
            def readConnectionLost(self):
                note(self.who, 'read lost')
            def writeConnectionLost(self):
                note(self.who, 'write lost')
        async def main():
            port, server, client, _ = await pair(Half, Half)
            client.transport.loseWriteConnection()
            await later()
            client.transport.write(b'dropped')
            server.transport.write(b'sent')
            await later()
            server.transport.loseWriteConnection()
            await later()
            note('both', server.transport.connected, client.transport.connected)
            server.transport.loseConnection()
            client.transport.loseConnection()
            await over(port, server, client)
        """,
    "half close by the peer of a protocol that knows no such thing": """
        class Writer(Side):
            def begin(self):
                self.transport.write(b'x' * 8000000)
        @implementer(interfaces.IHalfCloseableProtocol)
        class Half(Side):
            def begin(self):
                self.transport.pauseProducing()
                self.transport.loseWriteConnection()
            def readConnectionLost(self):
                pass
            def writeConnectionLost(self):
                note(self.who, 'write lost')
        async def main():
            port, server, client, _ = await pair(Writer, Half)
            await server.ended
            client.transport.abortConnection()
            await over(port, client)
        """,
    "a half-close notice that raises": """
        @implementer(interfaces.IHalfCloseableProtocol)
        class Half(Side):
            def readConnectionLost(self):
                raise ValueError('read')
            def writeConnectionLost(self):
                raise KeyError('write')
        async def main():
            port, server, client, _ = await pair(Half, Side)
            client.transport.loseConnection()
            await over(port, server, client)
            port, server, client, _ = await pair(Half, Side)
            server.transport.loseWriteConnection()
            await over(port, server, client)
        """,
    "abort": """
        class Aborter(Side):
            def begin(self):
                self.transport.write(b'x' * 8000000)
                self.transport.abortConnection()
                self.transport.abortConnection()
                self.transport.write(b'dropped')
                note('server', 'asked')
        async def main():
            port, server, client, _ = await pair(Side, Side)
            server.transport.pauseProducing()
            client.transport.pauseProducing()
            Aborter.begin(server)
            await server.ended
            client.transport.resumeProducing()
            await over(port, client)
            notes['client'] = [each for each in notes['client'] if each[0] != 'data']
        """,
    "an error after an abort in the same call": """
        class Aborter(Side):
            def dataReceived(self, data):
                self.transport.abortConnection()
                raise ValueError(data)
        async def main():
            port, server, client, _ = await pair(Aborter, Side)
            client.transport.write(b'a')
            await over(port, server, client)
        """,
    "a protocol that raises loses its own connection": """
        class Raiser(Side):
            def dataReceived(self, data):
                if data == b'raise':
                    raise ValueError(data)
                self.transport.write(data)
        async def main():
            port, server, client, _ = await pair(Raiser, Side)
            other = Client(Side)
            reactor.connectTCP('127.0.0.1', port.getHost().port, other)
            while not other.made:
                await later(0.001)
            client.transport.write(b'raise')
            await server.ended
            await client.ended
            other.made[0].transport.write(b'fine')
            await later()
            other.made[0].transport.loseConnection()
            await over(port, other.made[0])
        """,
    "a push producer": """
        class Pusher(Side):
            left = 60
            paused = False
            changes = 0
            def begin(self):
                self.transport.registerProducer(self, True)
                try:
                    self.transport.registerProducer(self, True)
                except RuntimeError:
                    note('server', 'one at a time')
                self.resumeProducing()
            def resumeProducing(self):
                self.paused = False
                self.changes += 1
                while self.left and not self.paused:
                    self.left -= 1
                    self.transport.write(b'x' * 100000)
                if not self.left and self.transport.producer:
                    self.transport.unregisterProducer()
                    self.transport.loseConnection()
            def pauseProducing(self):
                self.paused = True
            def stopProducing(self):
                note('server', 'stop')
        class Counter(Side):
            count = 0
            def dataReceived(self, data):
                self.count += len(data)
        async def main():
            port, server, client, _ = await pair(Pusher, Counter)
            await over(port, server, client)
            note('client', 'got', client.count)
            note('server', 'paused in each write', server.changes)
            server.transport.registerProducer(server, True)
        """,
    "a pull producer": """
        class Puller(Side):
            left = 5
            def begin(self):
                self.transport.registerProducer(self, False)
                self.transport.loseConnection()
                note('server', 'disconnecting', bool(self.transport.disconnecting))
            def resumeProducing(self):
                note('server', 'resume', self.left)
                self.left -= 1
                if self.left:
                    self.transport.write(b'%d' % self.left)
                else:
                    self.transport.unregisterProducer()
            def stopProducing(self):
                note('server', 'stop')
        class Collector(Side):
            got = b''
            def dataReceived(self, data):
                self.got += data
        async def main():
            port, server, client, _ = await pair(Puller, Collector)
            await over(port, server, client)
            note('client', 'got', client.got)
        """,
    "a producer whose connection ends": """
        class Producer(Side):
            def begin(self):
                self.transport.registerProducer(self, True)
            def resumeProducing(self):
                note('server', 'resume')
            def pauseProducing(self):
                note('server', 'pause')
            def stopProducing(self):
                note('server', 'stop', self.transport.connected)
        async def main():
            port, server, client, _ = await pair(Producer, Side)
            client.transport.loseConnection()
            await over(port, server, client)
        """,
    "reading is paused": """
        class Paused(Side):
            def begin(self):
                self.transport.pauseProducing()
        async def main():
            port, server, client, _ = await pair(Paused, Side)
            client.transport.write(b'early')
            await later()
            note('server', 'goes on')
            server.transport.resumeProducing()
            await later()
            reactor.removeReader(server.transport)
            client.transport.write(b'late')
            await later()
            note('server', server.transport in reactor.getReaders())
            reactor.addReader(server.transport)
            note('server', server.transport in reactor.getReaders())
            await later()
            client.transport.loseConnection()
            await over(port, server, client)
        """,
    "nobody listens": """
        async def main():
            with socket.socket() as taken:
                taken.bind(('127.0.0.1', 0))
                factory = Client(Side)
                connector = reactor.connectTCP('127.0.0.1', taken.getsockname()[1], factory)
                note('connector', connector.state)
                await factory.over
            await later(0.001)
            note('connector', connector.state)
            try:
                connector.stopConnecting()
            except error.NotConnectingError:
                note('connector', 'not connecting')
            connector.disconnect()
        """,
    "nobody answers": """
        async def main():
            with socket.socket() as full:
                full.bind(('127.0.0.1', 0))
                full.listen(0)
                fill = [socket.socket() for _ in range(4)]
                for each in fill:
                    each.setblocking(False)
                    each.connect_ex(full.getsockname())
                for timeout in (0.05, None):
                    factory = Client(Side)
                    address = full.getsockname()[1]
                    connector = reactor.connectTCP('127.0.0.1', address, factory, timeout=timeout)
                    if timeout is None:
                        await later()
                        connector.disconnect()
                    await factory.over
                for each in fill:
                    each.close()
        """,
    "no such host, no such port, no such address": """
        async def main():
            factory = Client(Side)
            reactor.connectTCP('no-such-host.invalid', 1, factory)
            await factory.over
            await later(0.001)
            try:
                reactor.connectTCP('127.0.0.1', 'no-such-service', Client(Side))
            except error.ServiceNameUnknownError:
                note('service', 'unknown')
            factory = Client(Side)
            connector = reactor.connectTCP('127.0.0.1', 1, factory, bindAddress=('192.0.2.1', 0))
            note('connector', connector.state)
            await factory.over
            await later(0.001)
        """,
    "a factory without a protocol": """
        class Refusing(Server):
            def buildProtocol(self, addr):
                return None
        class Giving(Client):
            def buildProtocol(self, addr):
                return None
        async def main():
            port = reactor.listenTCP(0, Refusing(Side), interface='127.0.0.1')
            for kind in (Client, Giving):
                factory = kind(Side)
                reactor.connectTCP('127.0.0.1', port.getHost().port, factory)
                await factory.over
                await later(0.001)
            await port.stopListening()
        """,
    "a factory that connects again": """
        class Again(Client):
            times = 3
            def clientConnectionLost(self, connector, reason):
                self.times -= 1
                if self.times:
                    connector.connect()
                else:
                    super().clientConnectionLost(connector, reason)
        class Closer(Side):
            def begin(self):
                self.transport.loseConnection()
        async def main():
            port = reactor.listenTCP(0, Server(Closer), interface='127.0.0.1')
            factory = Again(Side)
            connector = reactor.connectTCP('127.0.0.1', port.getHost().port, factory)
            await factory.over
            await later()
            await port.stopListening()
            note('destination', connector.getDestination() == port._realPortNumber)
        """,
    "ports": """
        async def main():
            factory = Server(Side)
            port = reactor.listenTCP(0, factory, interface='127.0.0.1')
            number = port.getHost().port
            try:
                reactor.listenTCP(number, Server(Side), interface='127.0.0.1')
            except error.CannotListenError as failure:
                note('second', failure.interface, failure.port == number,
                    type(failure.socketError).__name__)
            client = Client(Side)
            reactor.connectTCP('127.0.0.1', number, client)
            while not factory.made:
                await later(0.001)
            note('port', port in reactor.getReaders())
            stopped = port.stopListening()
            note('port', port in reactor.getReaders(), stopped.called)
            await stopped
            note('port', port.connected, await defer.maybeDeferred(port.stopListening))
            client.made[0].transport.write(b'still there')
            await later()
            client.made[0].transport.loseConnection()
            await factory.made[0].ended
            await later(0.001)
            port.startListening()
            note('port', port.connected)
            await port.stopListening()
            six = reactor.listenTCP(0, Server(Side), interface='::1')
            client = Client(Side)
            reactor.connectTCP('::1', six.getHost().port, client)
            while not client.made:
                await later(0.001)
            note('six', type(six.getHost()).__name__, client.made[0].transport.getPeer().host)
            client.made[0].transport.loseConnection()
            await client.over
            await later()
            await six.stopListening()
        """,
    "bindings": """
        from twisted.internet.tcp import makeBinding
        def options(transport):
            names = socket.SO_REUSEADDR, socket.SO_REUSEPORT
            return [bool(transport.socket.getsockopt(socket.SOL_SOCKET, each)) for each in names]
        async def main():
            for address in (False, True):
                for port in (False, True):
                    binding = makeBinding('127.0.0.1', 0, address, port)
                    listening = reactor.listenTCP(binding, Server(Side))
                    note('port', listening.getHost().host, *options(listening))
                    client = Client(Side)
                    number = listening.getHost().port
                    reactor.connectTCP('127.0.0.1', number, client, bindAddress=binding)
                    while not client.made:
                        await later(0.001)
                    note('client', *options(client.made[0].transport))
                    client.made[0].transport.loseConnection()
                    await client.over
                    await later()
                    await listening.stopListening()
            try:
                reactor.listenTCP(binding, Server(Side), interface='::1')
            except ValueError:
                note('refused')
        """,
    "a reset": """
        async def main():
            factory = Server(Side)
            port = reactor.listenTCP(0, factory, interface='127.0.0.1')
            for size in (0, 10, 100000, 3000000):
                factory.made.clear()
                notes.pop('server', None)
                peer = socket.create_connection(('127.0.0.1', port.getHost().port))
                while not factory.made:
                    await later(0.001)
                factory.made[0].transport.pauseProducing()
                peer.setblocking(False)
                sent = 0
                for _ in range(50):  # as much of it as the system takes
                    try:
                        sent += peer.send(b'x' * (size - sent))
                    except BlockingIOError:
                        await later(0.001)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                peer.close()
                await later()
                factory.made[0].transport.resumeProducing()
                await factory.made[0].ended
                got = b''.join(each[1] for each in notes['server'] if each[0] == 'data')
                note('sizes', len(got) == sent or size > 2**20, notes['server'][-1])
            notes.pop('server')
            await port.stopListening()
        """,
    "a UNIX socket": """
        class Echo(Side):
            def dataReceived(self, data):
                super().dataReceived(data)
                self.transport.write(data)
        async def main():
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, 'socket')
                server, client = Server(Echo), Client(Side)
                port = reactor.listenUNIX(path, server, mode=0o600, wantPID=True)
                note('files', *sorted(os.listdir(folder)), oct(os.stat(path).st_mode))
                try:
                    reactor.listenUNIX(path, Server(Side), wantPID=True)
                except error.CannotListenError as failure:
                    note('second', failure.interface)
                try:
                    reactor.listenUNIX(path, protocol.ServerFactory())
                except error.CannotListenError as failure:
                    note('third', failure.socketError)
                connector = reactor.connectUNIX(path, client, checkPID=True)
                while not client.made:
                    await later(0.001)
                transport = client.made[0].transport
                note('ends', transport.getHost().name,
                    transport.getPeer() == port.getHost() == connector.getDestination())
                transport.write(b'hello')
                await later()
                transport.loseConnection()
                await client.over
                await later()
                await port.stopListening()
                note('files', *os.listdir(folder))
                for check in (False, True):
                    client = Client(Side)
                    reactor.connectUNIX(path, client, checkPID=check)
                    await client.over
                    await later(0.001)
        """,
    "the reactor stops": """
        async def main():
            await pair(Side, Side)
            # This is the last program: what comes now is the end.
            reactor.addSystemEventTrigger('after', 'shutdown', show)
        """,
}
"""What each is about, and its text, which defines ``main``."""
