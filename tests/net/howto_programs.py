"""Servers and clients as they are written for Twisted, on real connections.

Each program notes what each side hears; `main` is a coroutine function.
"""

from __future__ import annotations

__all__ = ["HEADER", "PROGRAMS"]

HEADER = """
    import io, sys
    from twisted.internet import defer, error, protocol, reactor, task
    from twisted.protocols import basic, policies

    notes = {}

    def note(who, *what):
        notes.setdefault(who, []).append(what)

    def listen(factory):
        factory.noisy = False
        return reactor.listenTCP(0, factory, interface='127.0.0.1')

    def connect(port, make):
        return protocol.ClientCreator(reactor, make).connectTCP(
            '127.0.0.1', port.getHost().port)

    class Ends:
        '''Has a Deferred that fires at the end of the connection.'''
        def connectionMade(self):
            self.ended = defer.Deferred()
        def connectionLost(self, reason):
            self.ended.callback(reason.type.__name__)

    def run(main):
        async def shown(reactor):
            await main()
            for who in sorted(notes):
                print(who, notes[who])
        task.react(lambda reactor: defer.ensureDeferred(shown(reactor)))
    """

PROGRAMS = {
    "echo": """
        class Echo(protocol.Protocol):
            def dataReceived(self, data):
                self.transport.write(data)
        class Client(Ends, protocol.Protocol):
            got = b''
            def connectionMade(self):
                super().connectionMade()
                self.transport.write(b'hello' * 100000)
            def dataReceived(self, data):
                self.got += data
                if len(self.got) == 500000:
                    self.transport.loseConnection()
        async def main():
            port = listen(protocol.Factory.forProtocol(Echo))
            client = await connect(port, Client)
            note('client', await client.ended, client.got == b'hello' * 100000)
            await port.stopListening()
        """,
    "chat": """
        class Chat(basic.LineReceiver):
            name = None
            def connectionMade(self):
                self.sendLine(b'who are you?')
            def connectionLost(self, reason):
                if self.factory.users.get(self.name) is self:
                    del self.factory.users[self.name]
                    self.tell(self.name + b' left')
            def lineReceived(self, line):
                if self.name is not None:
                    self.tell(self.name + b': ' + line)
                elif line in self.factory.users:
                    self.sendLine(b'taken')
                else:
                    self.name = line
                    self.factory.users[line] = self
                    self.tell(line + b' came')
            def tell(self, line):
                for user in sorted(self.factory.users):
                    self.factory.users[user].sendLine(line)
        class Client(Ends, basic.LineReceiver):
            waiting = wanted = None
            def connectionMade(self):
                super().connectionMade()
                self.lines = []
            def lineReceived(self, line):
                self.lines.append(line)
                if line == self.wanted:
                    waiting, self.waiting = self.waiting, None
                    waiting.callback(None)
            def until(self, line):
                self.wanted, self.waiting = line, defer.Deferred()
                if line in self.lines:
                    return defer.succeed(None)
                return self.waiting
        async def main():
            factory = protocol.ServerFactory.forProtocol(Chat)
            factory.users = {}
            port = listen(factory)
            a = await connect(port, Client)
            a.sendLine(b'ann')
            await a.until(b'ann came')
            b = await connect(port, Client)
            b.sendLine(b'ann')
            await b.until(b'taken')
            b.sendLine(b'bob')
            await a.until(b'bob came')
            b.sendLine(b'hi')
            await a.until(b'bob: hi')
            b.transport.write(b'in pie')
            await task.deferLater(reactor, 0.01)
            b.transport.write(b'ces\\r')
            await task.deferLater(reactor, 0.01)
            b.transport.write(b'\\nand two\\r\\n')
            await a.until(b'bob: and two')
            b.transport.loseConnection()
            note('b', await b.ended, b.lines)
            await a.until(b'bob left')
            a.transport.loseConnection()
            note('a', await a.ended, a.lines)
            await port.stopListening()
        """,
    "raw mode": """
        class Server(Ends, basic.LineReceiver):
            def connectionMade(self):
                super().connectionMade()
                self.factory.made.callback(self)
            def lineReceived(self, line):
                note('server', 'line', line)
                if line.startswith(b'length '):
                    self.left = int(line[7:])
                    self.body = b''
                    self.setRawMode()
                elif line == b'bye':
                    self.transport.loseConnection()
            def rawDataReceived(self, data):
                body, rest = data[:self.left], data[self.left:]
                self.left -= len(body)
                self.body += body
                if not self.left:
                    note('server', 'body', self.body)
                    self.setLineMode(rest)
        async def main():
            factory = protocol.ServerFactory.forProtocol(Server)
            factory.made = defer.Deferred()
            port = listen(factory)
            client = await connect(port, basic.LineReceiver)
            server = await factory.made
            text = (b'first\\r\\nlength 10\\r\\n0123\\r\\n6789second\\r\\n'
                    b'length 3\\r\\nabcbye\\r\\nlost\\r\\n')
            for place in range(0, len(text), 7):
                client.transport.write(text[place:place + 7])
                await task.deferLater(reactor, 0)
            note('server', await server.ended)
            await port.stopListening()
        """,
    "too long": """
        class Server(Ends, basic.LineReceiver):
            MAX_LENGTH = 10
            def connectionMade(self):
                super().connectionMade()
                self.factory.made.callback(self)
            def lineReceived(self, line):
                note('server', line)
        async def main():
            factory = protocol.ServerFactory.forProtocol(Server)
            factory.made = defer.Deferred()
            port = listen(factory)
            class Client(Ends, protocol.Protocol):
                pass
            client = await connect(port, Client)
            client.transport.write(b'short\\r\\n' + b'x' * 50)
            server = await factory.made
            note('server', await server.ended)
            note('client', await client.ended)
            await port.stopListening()
        """,
    "strings": """
        class Netstrings(Ends, basic.NetstringReceiver):
            def stringReceived(self, string):
                if self.factory is not None:
                    self.sendString(string[::-1])
                else:
                    note('client', string)
                    if string == b'end':
                        self.transport.loseConnection()
        class Int16(Netstrings, basic.Int16StringReceiver):
            pass
        class Ints(Ends, basic.Int16StringReceiver):
            stringReceived = Netstrings.stringReceived
        async def main():
            for kind in (Netstrings, Ints):
                port = listen(protocol.ServerFactory.forProtocol(kind))
                client = await connect(port, kind)
                for string in (b'', b'abc', b'x' * 5000, b'dne'):
                    client.sendString(string)
                note('client', await client.ended)
                await port.stopListening()
        """,
    "file": """
        class Sender(Ends, protocol.Protocol):
            def connectionMade(self):
                super().connectionMade()
                file = io.BytesIO(bytes(range(256)) * 4000)
                done = basic.FileSender().beginFileTransfer(file, self.transport)
                done.addCallback(lambda last: note('server', last))
                done.addErrback(lambda failure: note('server', failure.type.__name__))
                done.addBoth(lambda ignored: self.transport.loseConnection())
        class Reader(Ends, protocol.Protocol):
            got = b''
            def dataReceived(self, data):
                self.got += data
        class Leaver(Ends, protocol.Protocol):
            def dataReceived(self, data):
                self.transport.abortConnection()
        async def main():
            port = listen(protocol.ServerFactory.forProtocol(Sender))
            reader = await connect(port, Reader)
            note('client', await reader.ended, reader.got == bytes(range(256)) * 4000)
            leaver = await connect(port, Leaver)
            note('client', await leaver.ended)
            await task.deferLater(reactor, 0.05)
            await port.stopListening()
        """,
    "proxy": """
        # Each side is the producer of the other: what one cannot take, the other does not read.
        class Half(Ends, protocol.Protocol):
            other = None
            def join(self, other):
                self.other = other
                self.transport.registerProducer(other.transport, True)
                other.transport.registerProducer(self.transport, True)
            def dataReceived(self, data):
                self.other.transport.write(data)
            def connectionLost(self, reason):
                super().connectionLost(reason)
                if self.other is not None:
                    self.transport.unregisterProducer()
                    self.other.transport.loseConnection()
        class Front(Half):
            async def reach(self):
                self.join(await connect(self.factory.target, Half))
                self.transport.resumeProducing()
            def connectionMade(self):
                super().connectionMade()
                self.transport.pauseProducing()
                defer.ensureDeferred(self.reach())
        class Source(protocol.Protocol):
            paused = written = 0
            def connectionMade(self):
                self.transport.registerProducer(self, True)
                self.resumeProducing()
            def pauseProducing(self):
                self.going = False
                Source.paused += 1
            def resumeProducing(self):
                self.going = True
                while self.going and Source.written < 3000000:
                    Source.written += 10000
                    self.transport.write(b'x' * 10000)
                if Source.written >= 3000000:
                    self.transport.unregisterProducer()
                    self.transport.loseConnection()
            def stopProducing(self):
                note('source', 'stopped')
        class Reader(Ends, protocol.Protocol):
            got = 0
            def connectionMade(self):
                super().connectionMade()
                self.transport.pauseProducing()
            def dataReceived(self, data):
                self.got += len(data)
        async def main():
            source = listen(protocol.ServerFactory.forProtocol(Source))
            factory = protocol.ServerFactory.forProtocol(Front)
            factory.target = source
            front = listen(factory)
            reader = await connect(front, Reader)
            await task.deferLater(reactor, 0.1)
            note('source', Source.paused > 0, Source.written < 3000000 or 'fits into the system')
            reader.transport.resumeProducing()
            note('reader', await reader.ended, reader.got)
            await front.stopListening()
            await source.stopListening()
        """,
    "policies": """
        class Quiet(basic.LineReceiver, policies.TimeoutMixin):
            limit = 0.3
            def connectionMade(self):
                self.setTimeout(self.limit)
            def lineReceived(self, line):
                self.resetTimeout()
                self.sendLine(line.upper())
            def timeoutConnection(self):
                note('server', 'timeout')
                policies.TimeoutMixin.timeoutConnection(self)
            def connectionLost(self, reason):
                self.setTimeout(None)
                note('server', reason.type.__name__)
        class Patient(Quiet):
            limit = 60
        class Client(Ends, basic.LineReceiver):
            def connectionMade(self):
                super().connectionMade()
                self.sendLine(b'hello')
            def lineReceived(self, line):
                note('client', line)
        class Refused(Ends, protocol.Protocol):
            pass
        async def main():
            inner = protocol.ServerFactory.forProtocol(Patient)
            inner.noisy = False
            factory = policies.LimitTotalConnectionsFactory()
            factory.protocol = Quiet
            factory.connectionLimit = 1
            port = listen(factory)
            first = await connect(port, Client)
            second = await connect(port, Refused)
            note('refused', await second.ended in ('ConnectionDone', 'ConnectionLost'))
            note('client', await first.ended, factory.connectionCount)
            await port.stopListening()
            port = listen(policies.TimeoutFactory(inner, 0.02))
            client = await connect(port, Client)
            note('client', await client.ended)
            await port.stopListening()
        """,
    "reconnecting": """
        class Server(protocol.Protocol):
            def connectionMade(self):
                self.transport.loseConnection()
        class Client(protocol.Protocol):
            def connectionMade(self):
                note('client', 'made')
        class Again(protocol.ReconnectingClientFactory):
            noisy = False
            initialDelay = delay = 0.01
            jitter = None
            maxRetries = 2
            protocol = Client
            def __init__(self):
                self.over = defer.Deferred()
            def clientConnectionLost(self, connector, reason):
                note('factory', 'lost', reason.type.__name__, self.retries)
                super().clientConnectionLost(connector, reason)
                if self.retries > self.maxRetries:
                    self.over.callback(None)
        async def main():
            port = listen(protocol.ServerFactory.forProtocol(Server))
            factory = Again()
            reactor.connectTCP('127.0.0.1', port.getHost().port, factory)
            await factory.over
            await port.stopListening()
        """,
}
"""Programs whose `main` is run after the header."""
