"""The page in the browser: a client of MQTT like any other, served on loopback.

Knows the payloads of ``wavewrap_protocol`` and nothing of radios, sessions or the gateway's insides; it runs in a process of its own, so
that no number of open tabs can make the gateway late. ``gateway/web`` is the page itself.
"""
