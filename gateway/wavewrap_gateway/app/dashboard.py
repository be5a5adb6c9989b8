"""What the dashboard is told: the brokers of its gateways, its port and the token of its link; and its start beside a gateway."""

import json
import secrets
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from wavewrap_gateway.adapters.broker_users import read_users
from wavewrap_gateway.adapters.dashboard_child import DashboardChild
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.private_files import read_text_if_there, refuse_open, replace_file
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.dashboard_config import DashboardConfig
from wavewrap_protocol.errors import UsageError

__all__ = ["dashboard_settings", "start_dashboard"]

TOKEN_BYTES = 24

GATEWAYS_MAX = 16
"""Choice: more than a page has room for."""

_HISTORY = "wavewrap_gateway.history_service"


def dashboard_settings(config: GatewayConfig, broker: MqttSettings | None) -> str:
    """As JSON, secrets in clear: for a pipe, never for a log. ``broker`` is that of ``[mqtt]``; its gateways come first.

    Raises :class:`UsageError` when the token cannot be kept or a file of secrets must not be used.
    """
    # Where nothing is recorded the page has nothing to look back on, and says so.
    history = None
    if config.record:
        history = {"command": [sys.executable, "-m", _HISTORY], "store": config.store.get_secret_value(), "gateway": config.gateway}
    page = config.dashboard
    return json.dumps(
        {
            "brokers": _brokers(page, broker),
            "token": _token(config.dashboard_token),
            "listen": page.listen,
            "port": page.port,
            "check_before_start": page.check_before_start,
            **_guard(page),
            "history": history,
        }
    )


def _brokers(page: DashboardConfig, broker: MqttSettings | None) -> list[dict[str, object]]:
    """Raises :class:`UsageError` for one that is named twice: its gateways would be there twice, too."""
    if broker is None and page.base_topics:
        raise UsageError(
            f"dashboard: base_topics {', '.join(page.base_topics)} are those on the broker of [mqtt], which names none: give its url, or "
            "name them in [[dashboard.brokers]]"
        )
    all_of_them = [] if broker is None else [(broker, page.base_topics or (broker.base_topic,))]
    all_of_them += [(one.settings(), one.base_topics) for one in page.brokers]
    seen: set[tuple[str, int]] = set()
    for one, _ in all_of_them:
        place = (one.host.lower(), one.port)
        if place in seen:
            raise UsageError(f"dashboard: the broker {one.safe_url} is named twice: name it once, with all of its base_topics")
        seen.add(place)
    count = sum(len(topics) for _, topics in all_of_them)
    if count > GATEWAYS_MAX:
        raise UsageError(f"dashboard: {count} gateways are more than the {GATEWAYS_MAX} that a page has room for: name fewer base_topics")
    return [_address(one, topics) for one, topics in all_of_them]


def _address(broker: MqttSettings, base_topics: tuple[str, ...]) -> dict[str, object]:
    login = broker.login()
    if broker.key_file is not None:
        refuse_open(broker.key_file, "our private key")
    address = broker.model_dump(mode="json", include={"host", "port", "tls", "username", "ca_file", "cert_file", "key_file"})
    return {**address, "password": None if login is None else login[1], "base_topics": base_topics}


def _guard(page: DashboardConfig) -> dict[str, object]:
    """What a page behind TLS and a login needs. Raises :class:`UsageError` for files that cannot or must not be used."""
    if page.cert_file is None or page.key_file is None or page.users_file is None:
        return {}
    refuse_open(page.key_file, "a private key")
    users = {name: hashed.get_secret_value() for name, hashed in read_users(page.users_file).items()}
    return {"names": page.names, "tls": {"cert_file": str(page.cert_file), "key_file": str(page.key_file)}, "users": users}


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
