#!/usr/bin/env python3
"""A wire that makes BGP connections collide: passes frames between two devices, but holds a SYN to port 179 until the
other side's SYN between the same two addresses is there; then both go on their way at once.

    collider.py LEFT RIGHT       prints "ready", and at its end (SIGTERM) how many pairs of SYNs met
"""
import select
import signal
import socket
import struct
import sys

BGP = 179
PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, SOL_PACKET, PACKET_OUTGOING = 1, 1, 263, 4


def open_device(name):
    device = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    device.bind((name, 0))
    member = struct.pack("iHH8s", socket.if_nametoindex(name), PACKET_MR_PROMISC, 0, b"")
    device.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, member)
    device.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    return device


def with_checksum(frame, header, end):
    """The sender left the TCP checksum to a device that does not exist."""
    tcp = bytearray(frame[header:end])
    tcp[16:18] = b"\0\0"
    data = frame[26:34] + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp)) + bytes(tcp)
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    tcp[16:18] = struct.pack("!H", ~total & 0xFFFF)
    return frame[:header] + bytes(tcp)


def main():
    left, right = open_device(sys.argv[1]), open_device(sys.argv[2])
    other = {left: right, right: left}
    held = {}  # (source, destination): (device to send on, frame)
    met = 0

    def stop(*_):
        print(f"{met} pairs met", flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    while True:
        for device in select.select([left, right], [], [])[0]:
            frame, address = device.recvfrom(65536)
            if address[2] == PACKET_OUTGOING:
                continue
            to = other[device]
            if frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_TCP:
                header = 14 + (frame[14] & 15) * 4
                frame = with_checksum(frame, header, 14 + struct.unpack_from("!H", frame, 16)[0])
                destination_port, flags = struct.unpack_from("!H", frame, header + 2)[0], frame[header + 13]
                if destination_port == BGP and flags & 0x12 == 0x02:  # SYN without ACK.
                    here, there = (frame[26:30], frame[30:34]), (frame[30:34], frame[26:30])
                    if there not in held:
                        held[here] = (to, frame)
                        continue
                    held_to, held_frame = held.pop(there)
                    held.pop(here, None)
                    held_to.send(held_frame)
                    met += 1
            try:
                to.send(frame)
            except OSError:
                pass  # A device that is down, a frame beyond its MTU: a wire loses it.


if __name__ == "__main__":
    main()
