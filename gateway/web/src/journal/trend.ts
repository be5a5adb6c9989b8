/** Where the marks of the soreness chart stand. Pure: no element, no colour. */

import type { Journal } from "./entries";

export interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Marks {
  ratings: { x: number; y: number; unix_s: number; soreness: number }[];
  sessions: { x: number; unix_s: number }[];
  runs: { x: number; unix_s: number }[];
  days: { x: number; unix_s: number }[];
}

const DAY_S = 86_400;
const LABELS_MAX = 6;

export function placeMarks(journal: Journal, from_s: number, to_s: number, frame: Frame): Marks {
  const inner = frame.width - frame.left - frame.right;
  const x = (unix_s: number): number => frame.left + (inner * (unix_s - from_s)) / (to_s - from_s);
  const y = (soreness: number): number => frame.height - frame.bottom - ((frame.height - frame.top - frame.bottom) * soreness) / 10;
  const within = (unix_s: number): boolean => unix_s >= from_s && unix_s <= to_s;
  const ratings: Marks["ratings"] = [];
  const runs: Marks["runs"] = [];
  for (const entry of [...journal.entries].reverse()) {
    if (entry.kind === "soreness" && within(entry.unix_s)) ratings.push({ x: x(entry.unix_s), y: y(entry.soreness), unix_s: entry.unix_s, soreness: entry.soreness });
    if (entry.kind === "run" && within(entry.ended_unix_s)) runs.push({ x: x(entry.ended_unix_s), unix_s: entry.ended_unix_s });
  }
  const sessions = journal.sessions.filter((one) => within(one.began_unix_s)).map((one) => ({ x: x(one.began_unix_s), unix_s: one.began_unix_s }));
  return { ratings, sessions, runs, days: dayMarks(from_s, to_s).map((unix_s) => ({ x: x(unix_s), unix_s })) };
}

/** Midnights of this browser's days, as many as there is room for. */
export function dayMarks(from_s: number, to_s: number): number[] {
  const days = (to_s - from_s) / DAY_S;
  const step = [1, 2, 7, 14, 28].find((one) => days / one <= LABELS_MAX) ?? 56;
  const marks: number[] = [];
  const day = new Date(from_s * 1000);
  for (let at = new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1); at.getTime() / 1000 <= to_s; ) {
    marks.push(at.getTime() / 1000);
    at = new Date(at.getFullYear(), at.getMonth(), at.getDate() + step);
  }
  return marks;
}
