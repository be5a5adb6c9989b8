"""UUIDs of the wavewrap service (random base, ours) and of the Bluetooth SIG services a wrap also carries."""


def _ours(number: int) -> str:
    return f"8f5a{number:04x}-6c1b-4d0e-9a57-3b1e2c7d9f40"


SERVICE = _ours(0x0001)
CAPABILITIES = _ours(0x0002)
CONTROL = _ours(0x0003)
STOP = _ours(0x0004)
PLAN = _ours(0x0005)
TIME = _ours(0x0006)
TELEMETRY = _ours(0x0007)
REPORT = _ours(0x0008)


def _sig(number: int) -> str:
    return f"0000{number:04x}-0000-1000-8000-00805f9b34fb"


BATTERY_SERVICE = _sig(0x180F)
BATTERY_LEVEL = _sig(0x2A19)
DEVICE_INFORMATION_SERVICE = _sig(0x180A)
MANUFACTURER_NAME = _sig(0x2A29)
MODEL_NUMBER = _sig(0x2A24)
SERIAL_NUMBER = _sig(0x2A25)
HARDWARE_REVISION = _sig(0x2A27)
FIRMWARE_REVISION = _sig(0x2A26)

ADVERTISED_COMPANY_ID = 0xFFFF
"""Manufacturer-data company id of the advertisement: the SIG's value for tests, as the project owns none."""
