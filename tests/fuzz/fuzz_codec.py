"""Feeds 200,000 seeded inputs to every decoder of the wire: each must give a message that can be written again, or RemoteError.

Run as a script; prints one line and exits 0, or the first input that broke the law and exits 1. ``--seed`` and ``--inputs`` change the run.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

from wavewrap_protocol.checksum import crc16
from wavewrap_protocol.codec import FROM_DEVICE, TO_DEVICE, DeviceMessage, GatewayMessage
from wavewrap_protocol.errors import RemoteError
from wavewrap_protocol.limits import CHARACTERISTIC_MAX_BYTES

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"
Decoder = Callable[[bytes], GatewayMessage | DeviceMessage]


def read_seeds() -> list[bytes]:
    """The bytes of every golden vector, valid or not."""
    return [bytes.fromhex(row["hex"]) for path in sorted(VECTORS.glob("*.json")) for row in json.loads(path.read_text())["vectors"]]


def make_input(chance: random.Random, seeds: list[bytes]) -> bytes:
    """Random bytes, or a golden vector with bits flipped, bytes changed, cut, doubled or joined; half of them with a right checksum."""
    data = bytearray(chance.choice(seeds))
    match chance.randrange(8):
        case 0:
            data = bytearray(chance.randbytes(chance.randrange(CHARACTERISTIC_MAX_BYTES + 1)))
        case 1:
            data = data[: chance.randrange(len(data) + 1)]
        case 2:
            data += chance.randbytes(chance.randrange(1, 20))
        case 3:
            data += chance.choice(seeds)
        case 4:
            at = chance.randrange(len(data) + 1)
            data[at:at] = chance.randbytes(chance.randrange(1, 5))
        case _:
            for _ in range(chance.randrange(1, 4)):
                if data:
                    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    if len(data) > 2 and chance.random() < 0.5:
        # Without this, plans and replays would hardly ever get past their checksum.
        data[-2:] = crc16(bytes(data[:-2])).to_bytes(2, "little")
    return bytes(data)


def try_input(decode: Decoder, data: bytes) -> bool:
    """Whether ``data`` is a message. Raises whatever else than RemoteError comes out, and ValueError when writing it again changes it."""
    try:
        message = decode(data)
    except RemoteError:
        return False
    if decode(message.encode()) != message:
        raise ValueError(f"{message} reads back as {decode(message.encode())}")
    return True


def main() -> int:
    """Run the loop; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=int, default=200_000)
    options = parser.parse_args()
    chance, seeds = random.Random(options.seed), read_seeds()
    decoders = [(f"{way} {uuid}", decode) for way, table in (("to", TO_DEVICE), ("from", FROM_DEVICE)) for uuid, decode in table.items()]
    taken = dict.fromkeys((name for name, _ in decoders), 0)
    for _ in range(options.inputs):
        data = make_input(chance, seeds)
        for name, decode in decoders:
            try:
                taken[name] += try_input(decode, data)
            except Exception as failure:  # noqa: BLE001  # the one place that looks for any other error; it ends the run
                print(f"fuzz: {name} device: {data.hex()} -> {type(failure).__name__}: {failure}", file=sys.stderr)
                return 1
    idle = [name for name, count in taken.items() if count == 0]
    if idle:
        print(f"fuzz: no input was a message for {', '.join(idle)}: raise --inputs", file=sys.stderr)
        return 1
    print(
        f"fuzz: {options.inputs} inputs x {len(decoders)} decoders, seed {options.seed}: {sum(taken.values())} messages, the rest refused"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
