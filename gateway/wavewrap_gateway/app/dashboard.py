"""What the dashboard is told: the broker that the gateway uses, its port and the token of its link; and its start beside a gateway."""

import json
import secrets
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from wavewrap_gateway.adapters.dashboard_child import DashboardChild
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.private_files import read_text_if_there, replace_file
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_protocol.errors import UsageError

__all__ = ["dashboard_settings", "start_dashboard"]

TOKEN_BYTES = 24

_HISTORY = "wavewrap_gateway.history_service"


def dashboard_settings(config: GatewayConfig, broker: MqttSettings) -> str:
    """As JSON, secrets in clear: for a pipe, never for a log. Raises :class:`UsageError` when the token cannot be kept."""
    login = broker.login()
    address = broker.model_dump(mode="json", include={"host", "port", "tls", "username", "ca_file", "cert_file", "key_file", "base_topic"})
    address["password"] = None if login is None else login[1]
    # Where nothing is recorded the page has nothing to look back on, and says so.
    history = None
    if config.record:
        history = {"command": [sys.executable, "-m", _HISTORY], "store": config.store.get_secret_value(), "gateway": config.gateway}
    return json.dumps(
        {
            "broker": address,
            "token": _token(config.dashboard_token),
            "port": config.dashboard.port,
            "check_before_start": config.dashboard.check_before_start,
            "history": history,
        }
    )


def _token(path: Path) -> str:
    """Kept, so that an open page finds its server again after a restart, and a bookmark stays good."""
    kept = (read_text_if_there(path) or "").strip()
    if len(kept) < TOKEN_BYTES:
        kept = secrets.token_urlsafe(TOKEN_BYTES)
        replace_file(path, kept + "\n")
    return kept


async def start_dashboard(stack: AsyncExitStack, config: GatewayConfig, broker: MqttSettings, progress: Callable[[str], None]) -> None:
    """Where the configuration wants it; it ends with ``stack``. A page that cannot be served is told, and keeps no session from running."""
    if not config.dashboard.enabled:
        return
    try:
        child = DashboardChild(dashboard_settings(config, broker))
        stack.push_async_callback(child.close)
        url = await child.start()
    except UsageError as cause:
        progress(str(cause))
        return
    progress(f"dashboard: {url}")
