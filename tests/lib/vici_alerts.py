#!/usr/bin/env python3
"""Stands between a VICI client and charon, and can what charon can since 6.0.3: the event `alert`. All else is passed
on as it is.

    vici_alerts.py LISTEN CHARON CONNECTION
        SIGUSR1: charon repeats a request of CONNECTION that is not answered ("retransmit-send");
        SIGUSR2: it was answered ("retransmit-send-cleared").
"""
import os
import select
import signal
import socket
import struct
import sys

EVENT_REGISTER, EVENT_CONFIRM, EVENT = 3, 5, 7
SECTION_START, SECTION_END, KEY_VALUE = 1, 2, 3
NAME = b"alert"


def packet(kind, name=b"", message=b""):
    body = bytes([kind]) + (bytes([len(name)]) + name if name else b"") + message
    return struct.pack("!I", len(body)) + body


def alert(what, connection):
    def section(name, inside):
        return bytes([SECTION_START, len(name)]) + name + inside + bytes([SECTION_END])

    kind = bytes([KEY_VALUE, 4]) + b"type" + struct.pack("!H", len(what)) + what
    return packet(EVENT, NAME, kind + section(b"ike-sa", section(connection, b"")))


class Client:
    """One connection of the client, and ours to charon for it."""

    def __init__(self, near, path):
        self.near, self.far = near, socket.socket(socket.AF_UNIX)
        self.far.connect(path)
        self.asked = b""  # Until it is a whole packet: a register must be seen, and nothing be sent in its middle.
        self.answered = b""
        self.listens = False

    def from_near(self):
        data = self.near.recv(65536)
        self.asked, packets = whole(self.asked + data)
        for one in packets:
            if one[4:] == packet(EVENT_REGISTER, NAME)[4:]:
                self.listens = True
                self.near.sendall(packet(EVENT_CONFIRM))
            else:
                self.far.sendall(one)
        return bool(data)

    def from_far(self):
        data = self.far.recv(65536)
        self.answered, packets = whole(self.answered + data)
        self.near.sendall(b"".join(packets))
        return bool(data)

    def close(self):
        self.near.close()
        self.far.close()


def whole(data):
    """What is left, and the packets before it."""
    packets = []
    while len(data) >= 4 and len(data) >= 4 + struct.unpack("!I", data[:4])[0]:
        size = 4 + struct.unpack("!I", data[:4])[0]
        packets.append(data[:size])
        data = data[size:]
    return data, packets


def main():
    path, charon, connection = sys.argv[1], sys.argv[2], sys.argv[3].encode()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda *_: None)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o666)
    listener.listen()
    print("ready", flush=True)
    clients = []
    while True:
        sockets = {end: client for client in clients for end in (client.near, client.far)}
        for ready in select.select([listener, woken, *sockets], [], [])[0]:
            if ready is listener:
                clients.append(Client(listener.accept()[0], charon))
            elif ready == woken:
                for number in os.read(woken, 64):
                    what = b"retransmit-send" if number == signal.SIGUSR1 else b"retransmit-send-cleared"
                    listening = [client for client in clients if client.listens]
                    print(what.decode(), "to", len(listening), flush=True)
                    for client in listening:
                        client.near.sendall(alert(what, connection))
            elif sockets[ready] in clients:
                client = sockets[ready]
                if not (client.from_near() if ready is client.near else client.from_far()):
                    client.close()
                    clients.remove(client)


if __name__ == "__main__":
    main()
