"""The gateway: drives wraps over Bluetooth LE and publishes what they did over MQTT."""
