"""HCI without a socket: a transport from a host to a controller in the same process."""

from bumble.host import Host
from bumble.transport.common import AsyncPipeSink, BaseSource, Transport

from wavewrap_sim.air import AirController

__all__ = ["PipeSource", "host_on", "open_pipe"]


class PipeSource(BaseSource):
    """The end of a pipe from which a host reads; ``on_transport_lost`` breaks the pipe."""

    def on_packet(self, packet: bytes) -> None:
        """A packet from the controller."""
        if self.sink is not None and not self.terminated.done():
            self.sink.on_packet(packet)


def open_pipe(controller: AirController) -> Transport:
    """A transport to ``controller``."""
    source = PipeSource()
    controller.host = source
    return Transport(source, AsyncPipeSink(controller))


def host_on(controller: AirController) -> Host:
    """A host that talks to ``controller`` directly."""
    return Host(controller, AsyncPipeSink(controller))
