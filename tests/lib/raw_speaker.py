#!/usr/bin/env python3
"""A BGP speaker that does what a script says: raw_speaker.py FROM TO ASN ORDERS.

It dials TO, keeps the session up, and carries out each line that is appended to the file ORDERS:

    announce PREFIX [OCTETS [NEXT_HOP]]   with an unknown transitive attribute of that size; FROM is the next hop
    withdraw PREFIX

It ends when the session does. IPv4 unicast, 4-octet AS numbers; used where no real daemon says what a test needs.
"""
import ipaddress
import select
import socket
import struct
import sys
import time

KEEPALIVE = b"\xff" * 16 + struct.pack("!HB", 19, 4)
UNKNOWN_TYPE = 200


def message(kind, body):
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body


def open_message(asn, router_id):
    capabilities = bytes([1, 4, 0, 1, 0, 1]) + bytes([2, 0]) + struct.pack("!BBI", 65, 4, asn)
    parameters = bytes([2, len(capabilities)]) + capabilities
    return message(1, struct.pack("!BHH4sB", 4, min(asn, 65535), 90, router_id, len(parameters)) + parameters)


def attribute(flags, kind, value):
    if len(value) > 255:
        return struct.pack("!BBH", flags | 0x10, kind, len(value)) + value
    return struct.pack("!BBB", flags, kind, len(value)) + value


def nlri(prefix):
    network = ipaddress.ip_network(prefix)
    return bytes([network.prefixlen]) + network.network_address.packed[: (network.prefixlen + 7) // 8]


def update(prefixes, asn, next_hop, octets):
    attributes = attribute(0x40, 1, b"\0") + attribute(0x40, 2, struct.pack("!BBI", 2, 1, asn))
    attributes += attribute(0x40, 3, next_hop)
    if octets:
        attributes += attribute(0xC0, UNKNOWN_TYPE, b"Z" * octets)
    return message(2, struct.pack("!HH", 0, len(attributes)) + attributes + b"".join(map(nlri, prefixes)))


def withdrawal(prefixes):
    routes = b"".join(map(nlri, prefixes))
    return message(2, struct.pack("!H", len(routes)) + routes + b"\0\0")


def main():
    source, target, asn, orders = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    own = ipaddress.ip_address(source).packed
    connection = socket.create_connection((target, 179), 10, (source, 0))
    connection.sendall(open_message(asn, own) + KEEPALIVE)
    file = open(orders)
    next_keepalive = time.monotonic() + 20
    while True:
        readable, _, _ = select.select([connection], [], [], 0.05)
        if readable and not connection.recv(65536):
            return
        if time.monotonic() > next_keepalive:
            connection.sendall(KEEPALIVE)
            next_keepalive += 20
        # Orders that were given together are sent together.
        messages = b""
        for line in file:
            verb, prefix, *more = line.split()
            prefixes = prefix.split(",")
            if verb == "announce":
                next_hop = ipaddress.ip_address(more[1]).packed if len(more) > 1 else own
                messages += update(prefixes, asn, next_hop, int(more[0]) if more else 0)
            else:
                messages += withdrawal(prefixes)
        if messages:
            connection.sendall(messages)


main()
