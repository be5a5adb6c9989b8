"""The wavewrap wire and its MQTT payloads.

Sans-IO: bytes in, messages out. This package knows no event loop, no clock, no socket and no radio; ``protocol/README.md`` is the
normative text, ``protocol/vectors/`` the golden bytes.
"""

__version__ = "0.1.0"
