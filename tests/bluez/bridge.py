"""``python bridge.py HOST PORT``: a Bluetooth controller for this Linux, hci0, whose other end is HCI on a TCP port. Ends with either end.

Needs the module hci_vhci and a user who may open /dev/vhci. Imports nothing of ours: it starts within a second in an emulated guest.
"""

import os
import select
import socket
import sys

VENDOR, PRIMARY = 0xFF, 0x00
"""Packet type and opcode that create a controller (Linux, drivers/bluetooth/hci_vhci.c)."""

LENGTHS = {0x01: (3, 2, 1), 0x02: (4, 2, 2), 0x03: (3, 2, 1), 0x04: (2, 1, 1), 0x05: (4, 2, 2)}
"""By packet type: bytes of the header, where the length stands in it, and on how many (Bluetooth Core, Vol 4 Part A 2, Part E 5.4)."""


def take_packet(stream: bytearray) -> bytes | None:
    """The first packet of ``stream``, removed from it; ``None`` while it is not all there. Raises :class:`ValueError` for no packet."""
    if not stream:
        return None
    if stream[0] not in LENGTHS:
        raise ValueError(f"HCI packet type {stream[0]:#04x}")
    header, at, size = LENGTHS[stream[0]]
    if len(stream) < 1 + header:
        return None
    # Of two-byte lengths ISO data uses the lower 14 bits only.
    length = int.from_bytes(stream[1 + at : 1 + at + size], "little") & (0x3FFF if stream[0] == 0x05 else 0xFFFF)
    end = 1 + header + length
    if len(stream) < end:
        return None
    packet = bytes(stream[:end])
    del stream[:end]
    return packet


def bridge(host: str, port: int) -> None:
    """Until one end closes."""
    with socket.create_connection((host, port)) as far:
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        kernel = os.open("/dev/vhci", os.O_RDWR)
        os.write(kernel, bytes((VENDOR, PRIMARY)))
        stream = bytearray()
        while True:
            ready, _, _ = select.select([far.fileno(), kernel], [], [])
            if far.fileno() in ready:
                data = far.recv(65536)
                if not data:
                    return
                stream += data
                while (packet := take_packet(stream)) is not None:
                    os.write(kernel, packet)
            if kernel in ready:
                packet = os.read(kernel, 4096)
                if packet[:1] != bytes((VENDOR,)):  # the kernel's word on which controller it made
                    far.sendall(packet)


if __name__ == "__main__":
    bridge(sys.argv[1], int(sys.argv[2]))
