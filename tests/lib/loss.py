#!/usr/bin/env python3
"""Loss by counting: numbered UDP both ways between two hosts of a lab, over several flows; sent minus received.

    with Loss(client, server, "172.16.20.10", "192.168.10.11", rate=1000, flows=8) as traffic:
        gateway.run("ip", "link", "set", "ipsec0", "down")
        ...
    report = traffic.report          # .forth, .back: Direction(sent, received, lost, longest_gap_s, by_flow)

`rate` is packets a second in each direction over all flows together. A packet that the sender's kernel refuses (no
route) counts as sent: it is traffic that somebody wanted to send. Flows differ in their ports, and in their addresses
when lists of addresses are given; paths_used() tells how many packets each device carried meanwhile, so that a test can
require that each path had its share.

Run as a program this file is one end of it (see end()).
"""
import collections
import json
import pathlib
import select
import socket
import struct
import sys
import time

PORT = 7000
HEADER = struct.Struct("!HxxI")  # Flow, sequence number.
SIZE = 64  # Octets of payload; small enough for any tunnel.

Direction = collections.namedtuple("Direction", "sent received lost duplicates longest_gap_s by_flow")
Report = collections.namedtuple("Report", "forth back seconds")


class Loss:
    """From __enter__ to __exit__ traffic flows; afterwards .report is set."""

    def __init__(self, here, there, here_addresses, there_addresses, rate=1000, flows=8, warm_up=5):
        listed = lambda x: [x] if isinstance(x, str) else list(x)
        a, b = listed(here_addresses), listed(there_addresses)
        self.flows = [(a[i % len(a)], b[i % len(b)], PORT + i) for i in range(flows)]
        self.here, self.there, self.rate, self.warm_up = here, there, rate, warm_up
        self.report = None
        self._devices = []

    def watch(self, *devices):
        """devices: (namespace, device name), whose sent packets paths_used() counts."""
        self._devices = [(ns, dev, _tx_packets(ns, dev)) for ns, dev in devices]
        return self

    def paths_used(self):
        """{(namespace name, device): packets sent through it since watch()}"""
        return {(ns.name, dev): _tx_packets(ns, dev) - before for ns, dev, before in self._devices}

    def __enter__(self):
        self._a = _End(self.here, [(a, b, p) for a, b, p in self.flows], self.rate)
        self._b = _End(self.there, [(b, a, p) for a, b, p in self.flows], self.rate)
        # Both ends listen before either sends; then traffic flows until each side has heard every flow once, so that
        # what is counted later is the test's doing and not neighbor discovery.
        for end in (self._a, self._b):
            end.expect("ready", max(10, self.warm_up))
        for end in (self._a, self._b):
            end.tell("go")
        for end in (self._a, self._b):
            end.expect("all-flows-heard", self.warm_up)
        for end in (self._a, self._b):
            end.tell("count")
            end.expect("counting", max(10, self.warm_up))
        self._started = time.monotonic()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                seconds = time.monotonic() - self._started
                sent_a, sent_b = self._a.finish_sending(), self._b.finish_sending()
                # Both are silent now; what is still on its way arrives before the ends see a quiet half second.
                got_a, got_b = self._a.results(), self._b.results()
                self.report = Report(_compare(sent_a, got_b, self.rate), _compare(sent_b, got_a, self.rate), seconds)
        finally:
            for end in (self._a, self._b):
                end.process.kill()
        return False


class _End:
    def __init__(self, namespace, flows, rate):
        import subprocess
        from netlab import _die_with_parent

        self.namespace = namespace
        self.process = subprocess.Popen(
            namespace.enter([sys.executable, str(pathlib.Path(__file__).resolve()), json.dumps(flows), str(rate)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_die_with_parent,
        )

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def expect(self, word, seconds=10):
        from netlab import LabError

        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise LabError(f"traffic from {self.namespace.name}: no '{word}' within {seconds} s: nothing gets through")
        line = self.process.stdout.readline()
        if not line.startswith(word):
            raise LabError(f"traffic from {self.namespace.name}: {line.strip() or 'ended'} instead of '{word}'")
        return line

    def finish_sending(self):
        self.tell("stop")
        return json.loads(self.expect("sent").split(" ", 1)[1])

    def results(self):
        self.tell("end")
        return json.loads(self.expect("received").split(" ", 1)[1])


def _compare(sent, received, rate):
    """sent: per flow [first, end) of the sequence numbers counted; received: per flow the list of numbers heard."""
    by_flow, longest, duplicates = [], 0, 0
    per_flow_interval = len(sent) / rate
    for (first, end), numbers in zip(sent, received):
        inside = [n for n in numbers if first <= n < end]
        heard = set(inside)
        duplicates += len(inside) - len(heard)
        gap = run = 0
        for number in range(first, end):
            run = 0 if number in heard else run + 1
            gap = max(gap, run)
        longest = max(longest, gap)
        by_flow.append((end - first, len(heard)))
    total, got = sum(s for s, _ in by_flow), sum(r for _, r in by_flow)
    return Direction(total, got, total - got, duplicates, longest * per_flow_interval, by_flow)


def _tx_packets(namespace, device):
    return int(namespace.run("cat", f"/sys/class/net/{device}/statistics/tx_packets").stdout)


def end(flows, rate):
    """One end: sends on every flow in turn and keeps the numbers it hears. Words on stdin: go, count, stop, end."""
    sockets = []
    for local, _, port in flows:
        s = socket.socket(socket.AF_INET6 if ":" in local else socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        s.bind((local, port))
        s.setblocking(False)
        sockets.append(s)
    poller = select.epoll()
    by_fd = {s.fileno(): s for s in sockets}
    for fd in by_fd:
        poller.register(fd, select.EPOLLIN)
    poller.register(0, select.EPOLLIN)
    heard = [[] for _ in flows]
    next_number, first = [0] * len(flows), [0] * len(flows)
    sending, told_heard = False, False
    interval, due, turn = 1.0 / rate, 0.0, 0
    ending = None
    say = lambda text: print(text, flush=True)
    say("ready")
    while True:
        now = time.monotonic()
        while sending and now >= due:
            _, remote, port = flows[turn]
            try:
                sockets[turn].sendto(HEADER.pack(turn, next_number[turn]).ljust(SIZE, b"\0"), (remote, port))
            except OSError:
                pass  # No route, or refused: wanted, not delivered.
            next_number[turn] += 1
            turn = (turn + 1) % len(flows)
            due = max(due + interval, now - 0.1)  # Starved for long: do not burst more than 100 ms.
        wait = max(0.0, due - now) if sending else 0.1
        quiet = True
        for fd, _ in poller.poll(wait):
            if fd == 0:
                word = sys.stdin.buffer.raw.readline().decode().strip()
                if word == "go":
                    sending, due = True, time.monotonic()
                elif word == "count":
                    first = list(next_number)
                    say("counting")
                elif word == "stop":
                    sending = False
                    say("sent " + json.dumps(list(zip(first, next_number))))
                elif word == "end":
                    ending = time.monotonic()
                else:
                    return
                continue
            quiet = False
            try:
                while True:
                    flow, number = HEADER.unpack_from(by_fd[fd].recv(2048))
                    heard[flow].append(number)
            except BlockingIOError:
                pass
            except OSError:
                pass  # An ICMP error for an earlier packet.
        if not told_heard and all(heard):
            told_heard = True
            say("all-flows-heard")
        if not quiet:
            last_heard = time.monotonic()
            ending = ending and last_heard
        if ending and time.monotonic() - ending >= 0.5:
            say("received " + json.dumps(heard))
            ending = None


if __name__ == "__main__":
    end([tuple(flow) for flow in json.loads(sys.argv[1])], float(sys.argv[2]))
