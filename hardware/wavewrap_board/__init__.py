"""The reference boards as data: what a wrap is built of, checked for physical sense, sized and drawn.

The simulator and the gateway's commands read the same files, so a figure of the hardware stands in one place. Nothing here moves over time:
the physics are in the simulator.
"""
