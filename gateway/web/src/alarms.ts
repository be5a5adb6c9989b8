/** What a person must know, in plain words, with what to do. Pure. */

import { listTitles, type Model, type Wrap } from "./model";
import type { Words } from "./text";

export interface Alarm {
  /** what it is about, so that it stays the same element while it lasts */ id: string;
  level: "critical" | "warning";
  title: string;
  what: string;
  /** a fault that can be acknowledged here */ fault?: { wrap: string; fault: string };
  /** the place of the gateway that it is of */ gateway: number;
}

export const LOW_BATTERY_PCT = 20;

/** Everything that is wrong now, the worst first: of every gateway, each named where there are several, and of a broker with all of its own. */
export function findAllAlarms(models: Model[], words: Words, now_ms: number): Alarm[] {
  const [first] = models;
  if (first === undefined) return [];
  const apart = models.some((model) => model.broker !== first.broker);
  if (models.length === 1 || first.isAlone(now_ms) || (first.brokerDown !== null && !apart)) return findAlarms(first, words, now_ms);
  const named = models.flatMap((model) => {
    const { brokerDown } = model;
    const all = brokerDown === null ? [model] : models.filter((other) => other.broker === model.broker);
    if (all[0] !== model) return [];
    return findAlarms(model, words, now_ms).map((alarm) => ({
      ...alarm,
      id: `${model.key}${alarm.id}`,
      title: `${listTitles(all)}: ${alarm.title}`,
      what: brokerDown === null ? alarm.what : words.say("connection_broker_of", { broker: model.broker, reason: brokerDown }),
    }));
  });
  return named.sort((a, b) => Number(a.level === "warning") - Number(b.level === "warning"));
}

/** What is wrong with one gateway and its wraps. */
export function findAlarms(model: Model, words: Words, now_ms: number): Alarm[] {
  if (model.isAlone(now_ms)) {
    // While the server is silent nothing else here is known.
    if (model.hello === null) return [];
    return [{ id: "server", level: "critical", gateway: model.index, title: words.say("connection_server"), what: words.say("connection_server_what") }];
  }
  if (model.brokerDown !== null)
    return [
      {
        id: "broker",
        level: "critical",
        gateway: model.index,
        title: words.say("connection_broker"),
        what: words.say("connection_broker_what", { reason: model.brokerDown }),
      },
    ];
  const alarms: Alarm[] = [];
  if (model.bridge.state !== undefined && !model.gatewayOnline)
    alarms.push({ id: "gateway", level: "warning", gateway: model.index, title: words.say("connection_gateway"), what: words.say("connection_gateway_what") });
  for (const wrap of model.sorted()) alarms.push(...ofWrap(wrap, model, words, now_ms));
  return alarms.sort((a, b) => Number(a.level === "warning") - Number(b.level === "warning"));
}

function ofWrap(wrap: Wrap, model: Model, words: Words, now_ms: number): Alarm[] {
  const alarms: Alarm[] = [];
  const state = wrap.state;
  const name = `${words.say(wrap.side)} (${wrap.name}): `;
  if (state !== null && state.fault !== null)
    alarms.push({
      id: `${wrap.name}-fault`,
      level: "critical",
      gateway: model.index,
      title: name + words.sayOf("fault", state.fault),
      what: words.sayOf("fault", state.fault, "_what"),
      fault: { wrap: wrap.name, fault: state.fault },
    });
  if (wrap.summary !== null && !wrap.summary.vented && !wrap.isVented(now_ms))
    alarms.push({
      id: `${wrap.name}-vented`,
      level: "critical",
      gateway: model.index,
      title: name + words.say("alarm_not_vented"),
      what: words.say("alarm_not_vented_what"),
    });
  if (!model.gatewayOnline) return alarms;
  const link = state?.link;
  if (link === "lost" || link === "failed" || link === "bond_lost")
    alarms.push({
      id: `${wrap.name}-link`,
      level: "warning",
      gateway: model.index,
      title: name + words.say("link") + " " + words.sayOf("link", link),
      what: words.sayOf("link", link, "_what"),
    });
  else if (wrap.heard_ms !== null && wrap.plays && wrap.isStale(now_ms))
    alarms.push({ id: `${wrap.name}-stale`, level: "warning", gateway: model.index, title: name + words.say("alarm_stale"), what: words.say("alarm_stale_what") });
  if (state !== null && state.battery_pct !== null && state.battery_pct < LOW_BATTERY_PCT)
    alarms.push({
      id: `${wrap.name}-battery`,
      level: "warning",
      gateway: model.index,
      title: name + words.say("alarm_low_battery", { pct: state.battery_pct }),
      what: words.say("alarm_low_battery_what"),
    });
  return alarms;
}
