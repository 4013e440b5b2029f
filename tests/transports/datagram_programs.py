"""Programs on datagrams, for Twisted and for twistlike on each kind of loop."""

from __future__ import annotations

__all__ = ["DATAGRAM_HEADER", "DATAGRAM_PROGRAMS", "ON_ASYNCIO"]

ON_ASYNCIO = """
    from twisted.internet import asyncioreactor
    asyncioreactor.install()
    """
"""For Twisted: on its epoll reactor a refused datagram ends the port."""

DATAGRAM_HEADER = """
    import io, os, socket, sys, tempfile
    from twisted.internet import defer, error, interfaces, protocol, reactor, task
    from twisted.python import log

    names = {}

    over = []  # the order in which a reactor's end closes ports is no rule

    def say(*what):
        if over:
            return
        text = ' '.join(map(str, what))
        for value, name in names.items():
            text = text.replace(str(value), name)
        print(text)

    class Side(protocol.DatagramProtocol):
        def __init__(self, who):
            self.who = who
            self.heard = defer.Deferred()
        def hear(self, *what):
            say(self.who, *what)
            heard, self.heard = self.heard, defer.Deferred()
            heard.callback(what)
        def startProtocol(self):
            say(self.who, 'start', type(self.transport).__name__, self.numPorts)
        def stopProtocol(self):
            say(self.who, 'stop', self.transport)
        def datagramReceived(self, data, addr):
            self.hear('got', data, addr)
            if data == b'raise':
                raise ValueError('as asked')
        def connectionRefused(self):
            self.hear('refused')

    class Connected(protocol.ConnectedDatagramProtocol, Side):
        def datagramReceived(self, data):
            self.hear('got', data)
        def connectionFailed(self, failure):
            say(self.who, 'failed', failure.type.__name__)

    def attempt(function, *args, **kwargs):
        try:
            say('->', function(*args, **kwargs))
        except Exception as error:
            say(type(error).__name__)

    def open(who, interface='127.0.0.1', **kwargs):
        side = Side(who)
        port = reactor.listenUDP(0, side, interface=interface, **kwargs)
        number = port.getHost().port
        names[number] = 'PORT-' + who
        return side, (interface or '127.0.0.1', number)

    def deadPort():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as skt:
            skt.bind(('127.0.0.1', 0))
            names[skt.getsockname()[1]] = 'DEAD'
            return skt.getsockname()[1]

    def run(main):
        async def shown(reactor):
            await main()
            over.append(True)
        log.startLogging(io.StringIO(), setStdout=False)
        try:
            task.react(lambda reactor: defer.ensureDeferred(shown(reactor)))
        finally:
            sys.stdout.flush()
    """

DATAGRAM_PROGRAMS = {
    "exchange": """
        async def main():
            a, toA = open('a')
            b, toB = open('b', '')
            say(a.transport.getHost(), b.transport.getHost(), a.transport.maxPacketSize)
            say(a.transport.logPrefix(), a.transport.interface, a.transport.addressFamily)
            for data in (b'hello', b'', bytearray(b'array'), b'x' * 20):
                attempt(a.transport.write, data, toB)
                await b.heard
            attempt(a.transport.writeSequence, [b'x', b'y'], toB)
            await b.heard
            for data in (b'raise', b'after'):
                b.transport.write(data, toA)
                await a.heard
        """,
    "bad addresses": """
        async def main():
            a, toA = open('a')
            x, toX = open('x', '::1')
            for addr in (('localhost', 1), ('::1', 1), None, ('127.0.0.1', 0),
                         ('127.0.0.1', 70000), ('127.0.0.1', 'x'), ('<broadcast>', 1)):
                attempt(a.transport.write, b'data', addr)
            attempt(a.transport.write, 'text', toA)
            attempt(a.transport.write, b'x' * 70000, toA)
            attempt(x.transport.write, b'data', ('127.0.0.1', 1))
            attempt(a.transport.connect, 'localhost', 1)
            attempt(reactor.listenUDP, toA[1], Side('b'), interface='127.0.0.1')
            attempt(reactor.listenUDP, 70000, Side('b'))
            attempt(reactor.listenUDP, 0, Side('b'), interface='1.2.3.4')
            attempt(reactor.listenUDP, 0, Side('b'), interface='name')
            attempt(a.transport.getBroadcastAllowed)
            attempt(a.transport.setBroadcastAllowed, True)
            attempt(a.transport.getBroadcastAllowed)
        """,
    "connected": """
        async def main():
            a, toA = open('a')
            b, toB = open('b')
            c, toC = open('c')
            attempt(c.transport.connect, *toB)
            attempt(c.transport.connect, *toB)
            say(c.transport.getHost())
            attempt(c.transport.write, b'one')
            await b.heard
            attempt(c.transport.write, b'two', toB)
            await b.heard
            attempt(c.transport.write, b'three', toA)
            a.transport.write(b'from another', toC)
            b.transport.write(b'from the peer', toC)
            await c.heard
        """,
    "refused": """
        async def main():
            a, toA = open('a')
            r, toR = open('r')
            dead = deadPort()
            r.transport.connect('127.0.0.1', dead)
            for _ in range(3):
                r.transport.write(b'x')
                await r.heard
            a.transport.write(b'x', ('127.0.0.1', dead))
            await task.deferLater(reactor, 0.02)
            a.transport.write(b'self', toA)
            await a.heard
        """,
    "sizes": """
        async def main():
            a, toA = open('a')
            t, toT = open('t', maxPacketSize=4)
            a.transport.write(b'0123456789', toT)
            await t.heard
            big, toBig = open('big', maxPacketSize=65536)
            a.transport.write(b'x' * 20000, toBig)
            heard = await big.heard
            print(len(heard[1]))
        """,
    "IPv6": """
        async def main():
            x, toX = open('x', '::1')
            y, toY = open('y', '::1')
            say(x.transport.getHost(), x.transport.addressFamily)
            x.transport.write(b'six', toY)
            await y.heard
            x.transport.connect(*toY)
            x.transport.write(b'connected')
            await y.heard
        """,
    "the end": """
        async def main():
            a, toA = open('a')
            b, toB = open('b')
            port = a.transport
            stopped = port.stopListening()
            print(stopped.called, b.transport is not None)
            await stopped
            print(await defer.maybeDeferred(port.stopListening), a.transport)
            print(interfaces.IListeningPort.providedBy(port))
        """,
    "multicast": """
        async def main():
            def join(who, **kwargs):
                side = Side(who)
                port = reactor.listenMulticast(names.get('port', 0), side, **kwargs)
                return side
            m = Side('m')
            number = reactor.listenMulticast(0, m, listenMultiple=True).getHost().port
            names[number] = 'PORT'
            n = Side('n')
            reactor.listenMulticast(number, n, listenMultiple=True)
            attempt(reactor.listenMulticast, number, Side('z'))
            t = m.transport
            for name, values in (('TTL', (5, 1)), ('LoopbackMode', (0, 1))):
                attempt(getattr(t, 'get' + name))
                for value in values:
                    attempt(getattr(t, 'set' + name), value)
                    attempt(getattr(t, 'get' + name))
            attempt(t.getOutgoingInterface)
            print(await t.setOutgoingInterface('127.0.0.1'))
            attempt(t.getOutgoingInterface)
            group = '225.0.0.251'
            for side in (m, n):
                print(await side.transport.joinGroup(group, '127.0.0.1'))
            t.write(b'to all', (group, number))
            await defer.DeferredList([m.heard, n.heard])
            print(await t.leaveGroup(group, '127.0.0.1'))
            for change in (lambda: t.leaveGroup(group, '127.0.0.1'),
                           lambda: t.joinGroup('127.0.0.1')):
                try:
                    await change()
                except error.MulticastJoinError as failed:
                    print(failed.args)
        """,
    "multicast by IPv6": """
        async def main():
            x = Side('x')
            reactor.listenMulticast(0, x, interface='::1')
            t = x.transport
            for name, value in (('TTL', 5), ('LoopbackMode', 0)):
                attempt(getattr(t, 'get' + name))
                attempt(getattr(t, 'set' + name), value)
                attempt(getattr(t, 'get' + name))
            attempt(t.getOutgoingInterface)
            print(await t.setOutgoingInterface(1))
            attempt(t.getOutgoingInterface)
            print(await t.joinGroup('ff02::3'), await t.leaveGroup('ff02::3'))
        """,
    "UNIX": """
        async def main():
            folder = tempfile.mkdtemp()
            names[folder] = 'FOLDER'
            a, b = Side('a'), Connected('b')
            port = reactor.listenUNIXDatagram(folder + '/a', a)
            say(port.getHost(), oct(os.stat(folder + '/a').st_mode))
            peer = reactor.connectUNIXDatagram(folder + '/a', b, bindAddress=folder + '/b')
            say(peer.getHost(), peer.getPeer(), type(peer).__name__)
            attempt(b.transport.write, b'there')
            await a.heard
            attempt(a.transport.write, b'and back', folder + '/b')
            await b.heard
            attempt(a.transport.write, b'x', folder + '/nothing')
            attempt(a.transport.write, b'x' * 1000000, folder + '/b')
            attempt(b.transport.write, b'x' * 1000000)
            reactor.connectUNIXDatagram(folder + '/nothing', Connected('n'))
            nameless = Connected('nameless')
            reactor.connectUNIXDatagram(folder + '/a', nameless)
            nameless.transport.write(b'from nowhere')
            await a.heard
            attempt(reactor.listenUNIXDatagram, folder + '/a', Side('c'))
            reactor.listenUNIXDatagram(folder + '/mode', Side('c'), mode=0o600)
            print(oct(os.stat(folder + '/mode').st_mode))
            await port.stopListening()
            print(os.path.exists(folder + '/a'), a.transport)
            attempt(b.transport.write, b'to nobody')
            await peer.stopListening()
        """,
    "adopted": """
        async def main():
            skt = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            skt.bind(('127.0.0.1', 0))
            skt.setblocking(False)
            names[skt.getsockname()[1]] = 'PORT'
            e = Side('e')
            port = reactor.adoptDatagramPort(skt.fileno(), socket.AF_INET, e)
            address = skt.getsockname()
            skt.close()
            say(port.getHost())
            e.transport.write(b'self', address)
            await e.heard
            attempt(reactor.adoptDatagramPort, port.fileno(), 99, e)
        """,
}
"""Programs whose `main` is run after the header."""
