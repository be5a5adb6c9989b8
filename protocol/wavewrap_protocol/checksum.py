"""CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF, no reflection; check value 0x29B1 over "123456789")."""

from binascii import crc_hqx

_START = 0xFFFF


def crc16(data: bytes) -> int:
    """The checksum of ``data``; :func:`binascii.crc_hqx` is the same polynomial with the start value passed in."""
    return crc_hqx(data, _START)
