/** What the journal answers (the shapes of `wavewrap_protocol.journal_asks`), and its entries day by day. Pure. */

export type Moment = "before" | "after" | "24_h" | "48_h";

export interface Question {
  of: "session" | "run";
  name: string;
  moment: Moment;
  began_unix_s: number;
  ended_unix_s: number | null;
  due_unix_s: number;
  until_unix_s: number;
}

export interface Due {
  now_unix_s: number;
  due: Question[];
  next_due_unix_s: number | null;
}

export interface RunLine {
  kind: "run";
  entry: string;
  ended_unix_s: number;
  duration_s: number;
  distance_m: number | null;
  effort: number | null;
  weight_before_kg: number | null;
  weight_after_kg: number | null;
  warm_up_s: number | null;
  stretch_s: number | null;
  load_min: number | null;
  drink_ml: number | null;
  note: string;
}

export interface SorenessLine {
  kind: "soreness";
  entry: string;
  unix_s: number;
  soreness: number;
  note: string;
}

/** Around a session; null where nothing was noted. */
export interface SorenessAround {
  before: number | null;
  after: number | null;
  hours_24: number | null;
  hours_48: number | null;
}

export interface RatedSession {
  session: string;
  program: string;
  began_unix_s: number;
  ended_unix_s: number | null;
  soreness: SorenessAround;
}

export interface Journal extends Due {
  entries: (RunLine | SorenessLine)[];
  sessions: RatedSession[];
}

/** What is asked about the journal, by its name. */
export interface JournalAnswers {
  journal: Journal;
  journal_due: Due;
  journal_add_run: RunLine;
  journal_add_soreness: SorenessLine;
  journal_delete: { deleted: number };
  journal_delete_all: { deleted: number };
  journal_export: { key: string; name: string; size_bytes: number };
}

export type Line = RunLine | SorenessLine | (RatedSession & { kind: "session" });

export function lineTime_s(line: Line): number {
  return line.kind === "run" ? line.ended_unix_s : line.kind === "soreness" ? line.unix_s : line.began_unix_s;
}

/** Everything of each day, the newest first; `dayOf` names the day of a wall time. */
export function byDay(journal: Journal, dayOf: (unix_s: number) => string): { day: string; lines: Line[] }[] {
  const lines: Line[] = [...journal.entries, ...journal.sessions.map((session) => ({ ...session, kind: "session" as const }))];
  lines.sort((a, b) => lineTime_s(b) - lineTime_s(a));
  const days: { day: string; lines: Line[] }[] = [];
  for (const line of lines) {
    const day = dayOf(lineTime_s(line));
    const last = days[days.length - 1];
    if (last !== undefined && last.day === day) last.lines.push(line);
    else days.push({ day, lines: [line] });
  }
  return days;
}
