/** What the page knows: everything that came over the socket, by wrap. Pure: messages and the time come in, nothing is drawn here. */

import { Overview } from "./overview";
import { Ring, type Batch } from "./ring";

export type Json = Record<string, unknown>;

export interface Progress {
  program: string;
  state: string;
  elapsed_s: number;
  duration_s: number;
  cycle: number;
  cycles: number;
}

/** Set-points as corners of straight lines: seconds after `unix_s`, then a set-point a chamber. */
export interface TargetPath {
  unix_s: number;
  points: number[][];
}

export interface WrapState {
  id: string;
  side: "left" | "right";
  link: string;
  device_state: string | null;
  fault: string | null;
  pressure_mmhg: number[] | null;
  target_mmhg: number[] | null;
  target_path: TargetPath | null;
  timing_ms: { p50: number; p99: number; max: number } | null;
  rssi_dbm: number | null;
  battery_pct: number | null;
  clock: { uncertainty_ms: number } | null;
  session: Progress | null;
}

export interface WrapSummary {
  id: string;
  samples: { missing: number };
  timing_ms: { p99: number };
  cycles: { planned: number; delivered: number };
  peak_mmhg: number[];
  findings?: { text: string }[];
}

export interface Summary {
  program: string;
  ended: string;
  reason: string;
  vented: boolean;
  wraps: WrapSummary[];
}

export interface Happening {
  unix_s: number;
  kind: string;
  text: string;
  seq: number;
  gateway_boot: number;
}

export const BACKLOG_S = 60;
/** A wrap whose last sample is older than this is shown as stale. The gateway sends several batches a second. */
export const STALE_MS = 900;
/** Outside a session a gateway may send no samples: then its states, which it repeats at least every 6 s, are what is fresh. */
export const STATE_STALE_MS = 7000;
/** No word of the server for this long: its two beats a second have stopped. */
export const SILENCE_MS = 1500;
/** A state and the path in it come once a second, and reach 1.5 s ahead: further apart than this, one was missed. */
export const TARGET_GAP_S = 2.6;
/** A chamber counts as vented below this; the same figure as the device's. */
export const VENTED_MMHG = 5;

/** The target of a chamber at a time, on the line between two corners; null before the first and long after the last. */
export function targetAt(corners: number[][], at_s: number, chamber: number): number | null {
  let low = 0;
  let high = corners.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (((corners[middle] as number[])[0] as number) <= at_s) low = middle + 1;
    else high = middle;
  }
  const before = corners[low - 1];
  if (before === undefined) return null;
  const from = before[chamber + 1] ?? null;
  const after = corners[low];
  if (after === undefined) return at_s - (before[0] as number) <= TARGET_GAP_S ? from : null;
  const span_s = (after[0] as number) - (before[0] as number);
  // Between two paths that do not join nothing is known.
  if (span_s > TARGET_GAP_S) return at_s - (before[0] as number) <= TARGET_GAP_S ? from : null;
  const to = after[chamber + 1] ?? null;
  if (from === null || to === null) return null;
  return span_s <= 0 ? to : from + ((to - from) * (at_s - (before[0] as number))) / span_s;
}

export class Wrap {
  readonly ring = new Ring(BACKLOG_S);
  state: WrapState | null = null;
  availability: string | null = null;
  summary: Summary | null = null;
  events: Happening[] = [];
  readonly overview = new Overview();
  /** corners of the targets: unix s, then a target a chamber */
  targets: number[][] = [];
  heard_ms: number | null = null;
  stateHeard_ms: number | null = null;
  /** when a summary came, just now, that says vented: the gateway says so of fresh pressures only */
  proven_ms: number | null = null;
  /** now_ms - time of the newest sample, the smallest seen lately: turns this page's clock into the wrap's time line */
  lag_ms: number | null = null;

  constructor(readonly name: string) {}

  get side(): "left" | "right" {
    return this.state?.side ?? (this.name === "right" ? "right" : "left");
  }

  /** How many chambers it has, as far as it is known; 0 before. */
  get chambers(): number {
    return this.ring.chambers || (this.state?.pressure_mmhg?.length ?? 0);
  }

  /** Whether a session plays on it, as far as it has said. */
  get plays(): boolean {
    const session = this.state?.session;
    return session !== null && session !== undefined && session.state !== "ended";
  }

  /** Whether samples come in, just now. */
  private streams(now_ms: number): boolean {
    return this.heard_ms !== null && now_ms - this.heard_ms <= STALE_MS;
  }

  isStale(now_ms: number): boolean {
    if (this.streams(now_ms)) return false;
    const told = !this.plays && this.state?.link === "ready" && this.state.pressure_mmhg !== null;
    return !told || this.stateHeard_ms === null || now_ms - this.stateHeard_ms > STATE_STALE_MS;
  }

  /** The newest pressure of each chamber that is known, old ones too: see `isStale`. */
  latest(now_ms: number): number[] {
    const ofState = this.state?.pressure_mmhg;
    if (!this.streams(now_ms) && ofState !== null && ofState !== undefined && (this.stateHeard_ms ?? -Infinity) >= (this.heard_ms ?? -Infinity)) return ofState;
    const ofSamples = this.ring.latest();
    return ofSamples.length > 0 ? ofSamples : (ofState ?? []);
  }

  /** How old that is, in ms; null before anything was heard. */
  age_ms(now_ms: number): number | null {
    const heard_ms = Math.max(this.heard_ms ?? -Infinity, this.state?.pressure_mmhg ? (this.stateHeard_ms ?? -Infinity) : -Infinity);
    return heard_ms === -Infinity ? null : now_ms - heard_ms;
  }

  isVented(now_ms: number): boolean {
    const latest = this.latest(now_ms);
    return !this.isStale(now_ms) && latest.length > 0 && latest.every((mmhg) => mmhg < VENTED_MMHG);
  }

  /** The time that the right edge of its charts stands at. */
  edge_s(now_ms: number): number {
    if (this.lag_ms === null) return this.ring.newest_s;
    return Math.min((now_ms - this.lag_ms) / 1000, this.ring.newest_s + 0.3);
  }

  put(batch: Batch, now_ms: number, live: boolean): void {
    if (!this.ring.put(batch)) return;
    if (!live || batch.h) return;
    this.heard_ms = now_ms;
    const newest_s = this.ring.newest_s;
    if (Number.isNaN(newest_s)) return;
    const lag_ms = now_ms - newest_s * 1000;
    // The smallest lag is the truest; a slow leak lets it follow clocks that drift apart, a jump starts it anew.
    if (this.lag_ms === null || lag_ms < this.lag_ms || Math.abs(lag_ms - this.lag_ms) > 2000) this.lag_ms = lag_ms;
    else this.lag_ms += (lag_ms - this.lag_ms) * 0.02;
    const last_s = this.overview.newest_s;
    if (!this.plays || (last_s !== null && newest_s - last_s < 1)) return;
    const latest = this.ring.latest();
    this.overview.push(newest_s, [...latest, ...latest.map((_, chamber) => targetAt(this.targets, newest_s, chamber))]);
  }

  /** `heard_ms` is null for what lay on the broker, from nobody knows when. */
  putState(state: WrapState, heard_ms: number | null): void {
    const before = this.plays;
    this.state = state;
    if (this.plays && !before) this.overview.clear();
    this.stateHeard_ms = heard_ms;
    if (state.target_path !== null) this.putPath(state.target_path);
  }

  /** What a newer path says overrules what an older one said of the same time. */
  putPath(path: TargetPath): void {
    const oldest_s = path.unix_s - BACKLOG_S;
    const chambers = (path.points[0]?.length ?? 1) - 1;
    const until = Array.from({ length: chambers }, (_, chamber) => targetAt(this.targets, path.unix_s, chamber));
    this.targets = this.targets.filter((corner) => (corner[0] as number) < path.unix_s && (corner[0] as number) >= oldest_s);
    // Up to there the older one holds: where the two differ it is a jump, and no slope between their corners.
    if (until.every((one) => one !== null)) this.targets.push([path.unix_s - 1e-4, ...(until as number[])]);
    for (const [after_s, ...targets] of path.points) this.targets.push([path.unix_s + (after_s as number), ...targets]);
  }

  /** The target of each chamber at the right edge of the charts; empty without one. */
  targetsNow(now_ms: number): number[] {
    if (!this.plays) return [];
    const at_s = this.edge_s(now_ms);
    const now = this.ring.latest().map((_, chamber) => targetAt(this.targets, at_s, chamber));
    return now.every((one) => one !== null) ? (now as number[]) : (this.state?.target_mmhg ?? []);
  }
}

/** Where a gateway is. */
export interface Place {
  topic: string;
  broker: string;
}

/** What one gateway has said. */
export class Model {
  constructor(
    /** its place among those that the server follows */ readonly index = 0,
    readonly topic = "wavewrap",
    /** where its broker is */ readonly broker = "",
  ) {
    this.title = topic;
  }

  /** what it is called on the page: told apart from the others by who knows them all */
  title: string;

  readonly wraps = new Map<string, Wrap>();
  brokerDown: string | null = null;
  bridge: { state?: { state: string }; info?: { commands?: string[]; gateway: string }; devices?: { wraps: { id: string; side: string }[] } } = {};
  events: Happening[] = [];
  hello: { version: string; gateways: Place[]; check_before_start: boolean; login: boolean } | null = null;
  /** the server's last word, in ms of this page's clock; null while there is no socket */
  heard_ms: number | null = null;
  /** counted up whenever anything but samples changed */
  revision = 0;

  isAlone(now_ms: number): boolean {
    return this.heard_ms === null || now_ms - this.heard_ms > SILENCE_MS;
  }

  /** Before each id that it has a part of. */
  get key(): string {
    return this.index === 0 ? "" : `g${this.index}-`;
  }

  /** As far as its broker says; one whose broker is away may be there or not. */
  get gatewayOnline(): boolean {
    return this.brokerDown === null && this.bridge.state?.state === "online";
  }

  takes(command: string): boolean {
    return this.bridge.info?.commands?.includes(command) ?? false;
  }

  /** Left before right, then by name. */
  sorted(): Wrap[] {
    return [...this.wraps.values()]
      .filter((wrap) => wrap.state !== null || wrap.ring.newest >= 0)
      .sort((a, b) => a.side.localeCompare(b.side) || a.name.localeCompare(b.name));
  }

  /** The session that is shown: the first that plays, else the first that there is. */
  session(): Progress | null {
    const all = this.sorted().flatMap((wrap) => (wrap.state?.session ? [wrap.state.session] : []));
    return all.find((one) => one.state !== "ended") ?? all[0] ?? null;
  }

  /**
   * Of each wrap in use whether it is vented, by pressures from after `since_ms`; null where that is not known.
   * Of one that was not `told` to stop a low pressure may be a pause between two waves.
   */
  eachVented(now_ms: number, since_ms: number, told = true): (boolean | null)[] {
    const found: (boolean | null)[] = [];
    const unheard = this.isAlone(now_ms) || this.brokerDown !== null;
    for (const wrap of this.sorted()) {
      if (wrap.proven_ms !== null && wrap.proven_ms >= since_ms && !wrap.plays) {
        found.push(true);
        continue;
      }
      if (wrap.state?.link !== "ready" && !wrap.plays) continue;
      found.push(unheard || wrap.isStale(now_ms) ? null : wrap.isVented(now_ms) && (told || !wrap.plays));
    }
    // Which wraps are in use there by now, nobody here knows.
    return this.brokerDown !== null && found.length === 0 ? [null] : found;
  }

  take(message: Json, now_ms: number): void {
    this.heard_ms = now_ms;
    if (message.k === "s") {
      for (const batch of message.b as Batch[]) this.wrap(batch.w).put(batch, now_ms, true);
      return;
    }
    if (message.k === "beat" || message.k === "answer") return;
    this.revision++;
    switch (message.k) {
      case "hello":
        this.hello = message as unknown as NonNullable<Model["hello"]>;
        break;
      case "all":
        this.takeAll(message, now_ms);
        break;
      case "broker":
        this.brokerDown = message.down as string | null;
        break;
      case "bridge":
        if (message.part === "event") this.events = addHappening(this.events, message.v as Happening);
        else (this.bridge as Json)[message.part as string] = message.v;
        break;
      case "gone":
        this.wraps.delete(message.w as string);
        break;
      case "wrap":
        this.takeWrap(this.wrap(message.w as string), message.part as string, message.v, message.old === true ? null : now_ms);
        break;
    }
  }

  private wrap(name: string): Wrap {
    let found = this.wraps.get(name);
    if (found === undefined) {
      found = new Wrap(name);
      this.wraps.set(name, found);
      this.revision++;
    }
    return found;
  }

  private takeWrap(wrap: Wrap, part: string, value: unknown, now_ms: number | null): void {
    if (part === "state") wrap.putState(value as WrapState, now_ms);
    else if (part === "availability") wrap.availability = (value as { state: string }).state;
    else if (part === "session") {
      wrap.summary = value as Summary;
      if (wrap.summary.vented && now_ms !== null) wrap.proven_ms = now_ms;
    }
    else if (part === "event") wrap.events = addHappening(wrap.events, value as Happening);
  }

  private takeAll(message: Json, now_ms: number): void {
    this.bridge = message.bridge as Model["bridge"];
    this.events = message.events as Happening[];
    this.wraps.clear();
    for (const [name, told] of Object.entries(message.wraps as Record<string, Json>)) {
      const wrap = this.wrap(name);
      for (const batch of told.batches as Batch[]) wrap.put(batch, now_ms, false);
      const stateAge_s = told.state_age_s as number | null;
      if (told.state) wrap.putState(told.state as WrapState, stateAge_s === null ? null : now_ms - stateAge_s * 1000);
      wrap.availability = told.availability as string | null;
      wrap.summary = told.summary as Summary | null;
      wrap.events = told.events as Happening[];
      wrap.overview.clear();
      for (const [at_s, ...values] of told.overview as (number | null)[][]) wrap.overview.push(at_s as number, values);
      wrap.targets = [];
      for (const path of told.paths as TargetPath[]) wrap.putPath(path);
      const age_s = told.age_s as number | null;
      wrap.heard_ms = age_s === null ? null : now_ms - age_s * 1000;
    }
  }
}

function addHappening(list: Happening[], one: Happening): Happening[] {
  // QoS 1 may deliver twice.
  if (list.some((other) => other.seq === one.seq && other.gateway_boot === one.gateway_boot)) return list;
  return [...list, one].slice(-50);
}

/** As they are called, for a sentence about some of several. */
export function listTitles(models: readonly Model[]): string {
  return models.map((model) => model.title).join(", ");
}
