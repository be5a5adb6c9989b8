/** What the history can be asked, and what it answers: the shapes of `wavewrap_protocol.history_answers`. */

import type { JournalAnswers, SorenessAround } from "../journal/entries";

export type Side = "left" | "right";
export type State = "running" | "completed" | "stopped" | "faulted" | "interrupted";
export type Curve = (number | null)[];

export interface Filter {
  program?: string | null;
  wrap?: string | null;
  state?: string | null;
  from_unix_s?: number | null;
  until_unix_s?: number | null;
}

export interface SessionLine {
  session: string;
  gateway: string;
  program: string;
  state: State;
  reason: string;
  started_unix_s: number;
  ended_unix_s: number | null;
  planned_s: number;
  unrecorded: number;
  wraps: { id: string; side: Side }[];
}

export interface Sessions {
  begun: boolean;
  total: number;
  sessions: SessionLine[];
  programs: string[];
  wraps: string[];
  oldest_unix_s: number | null;
  newest_unix_s: number | null;
}

export interface Dose {
  chamber: number;
  over_threshold_s: number;
  pressure_time_mmhg_s: number;
  peak_mmhg: number;
  compressions: number;
  reached: number;
  rise_s: number | null;
  vent_s: number | null;
  delay_s: number | null;
  tracking_rms_mmhg: number;
  leak_mmhg_s: number | null;
}

export type Change = Pick<Dose, "chamber" | "over_threshold_s" | "pressure_time_mmhg_s" | "peak_mmhg" | "reached" | "rise_s" | "vent_s" | "delay_s">;

export interface StepTiming {
  at_s: number;
  chamber: number;
  offset_ms: number;
  uncertainty_ms: number;
}

export interface MissingSpan {
  from_s: number;
  to_s: number;
  samples: number;
}

export interface WrapFigures {
  id: string;
  side: Side;
  serial: string;
  model: string;
  firmware: string;
  chambers: number;
  kept: number;
  replayed: number;
  missing: number;
  missing_spans: MissingSpan[];
  dose: Dose[];
  steps_answered: number;
  steps_carried_out: number;
  timing_ms: { p50: number; p99: number; max: number } | null;
  steps: StepTiming[];
}

export interface EventLine {
  wrap: string;
  at_s: number | null;
  unix_s: number;
  kind: string;
  text: string;
}

export interface Session {
  session: string;
  gateway: string;
  version: string;
  program: string;
  title: string;
  description: string;
  planned_s: number;
  started_unix_s: number;
  ended_unix_s: number | null;
  state: State;
  reason: string;
  unrecorded: number;
  begin_s: number;
  end_s: number;
  summary: { vented: boolean; wraps: { id: string; cycles: { planned: number; delivered: number }; findings?: { text: string }[] }[] } | null;
  wraps: WrapFigures[];
  left_minus_right: Change[];
  events: EventLine[];
}

export interface WrapTraces {
  id: string;
  side: Side;
  thinned: boolean;
  at_s: number[];
  pressure_mmhg: Curve[];
  target_mmhg: Curve[];
}

export interface Traces {
  session: string;
  from_s: number;
  to_s: number;
  wraps: WrapTraces[];
}

export interface Comparison {
  sides: { side: Side; one: string; other: string; changes: Change[] }[];
}

export interface TrendWrap {
  id: string;
  side: Side;
  over_threshold_s: number | null;
  pressure_time_mmhg_s: number | null;
  peak_mmhg: number | null;
  leak_mmhg_s: number | null;
  timing_p99_ms: number | null;
  missing: number;
  battery_start_pct: number | null;
  battery_end_pct: number | null;
}

export interface TrendLine {
  session: string;
  program: string;
  state: State;
  started_unix_s: number;
  wraps: TrendWrap[];
  /** from the recovery journal; null where nothing is noted */
  soreness: SorenessAround | null;
}

export interface Trends {
  total: number;
  sessions: TrendLine[];
  damaged: string[];
}

interface Answers extends JournalAnswers {
  sessions: Sessions;
  session: Session;
  traces: Traces;
  compare: Comparison;
  trends: Trends;
  delete: { deleted: string };
  export: { key: string; name: string; size_bytes: number };
}

/** Why there is no answer: `kind` has a sentence in the strings, `text` is the service's own line. */
export class AskError extends Error {
  constructor(
    readonly kind: string,
    text: string,
  ) {
    super(text);
  }
}

/** Throws `AskError`. */
export async function ask<K extends keyof Answers>(name: K, body: object): Promise<Answers[K]> {
  let told: Response;
  let answer: unknown;
  try {
    told = await fetch(`/ask/${name}`, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
    answer = await told.json();
  } catch {
    throw new AskError("server", "");
  }
  if (told.ok) return answer as Answers[K];
  const { error, text } = answer as { error?: string; text?: string };
  throw new AskError(error ?? "server", text ?? "");
}
