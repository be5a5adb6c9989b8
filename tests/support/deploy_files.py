"""What the files in ``gateway/deploy`` say about topics, and which topics the AsyncAPI document knows."""

import json
import re
import tomllib
from pathlib import Path

__all__ = ["DEPLOY", "STACK", "document_topics", "flow_topics", "matches", "telegraf_topics", "topics_by_file"]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "gateway" / "deploy"
STACK = DEPLOY / "stack"

WRAP = "left"


def document_topics() -> list[str]:
    """Every address of ``protocol/asyncapi.json``, with the usual base and a wrap of that name."""
    document = json.loads((ROOT / "protocol" / "asyncapi.json").read_text(encoding="utf-8"))
    return [channel["address"].format(base="wavewrap", wrap=WRAP) for channel in document["channels"].values()]


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a subscription to ``topic_filter`` gets ``topic``, by MQTT's rules."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    for i, level in enumerate(wanted):
        if level == "#":
            return True
        if i >= len(given) or level not in ("+", given[i]):
            return False
    return len(wanted) == len(given)


def telegraf_topics() -> list[str]:
    """What Telegraf subscribes to."""
    config = tomllib.loads((STACK / "telegraf" / "telegraf.conf").read_text(encoding="utf-8"))
    return [topic for one in config["inputs"]["mqtt_consumer"] for topic in one["topics"]]


def flow_topics(kind: str) -> list[str]:
    """Topics of the Node-RED nodes of ``kind``."""
    nodes = json.loads((STACK / "node-red" / "flows.json").read_text(encoding="utf-8"))
    return [node["topic"] for node in nodes if node["type"] == kind]


def topics_by_file() -> dict[str, list[str]]:
    """Every topic and filter in the deploy files, by file."""
    found = {str(STACK / "telegraf" / "telegraf.conf"): telegraf_topics()}
    found[str(STACK / "node-red" / "flows.json")] = flow_topics("mqtt in") + flow_topics("mqtt out")
    for path in sorted(DEPLOY.rglob("*.acl")):
        found[str(path)] = re.findall(r"^topic (?:read |write |readwrite |deny )?(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found
