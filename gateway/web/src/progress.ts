/** A session's place in time, for people. Pure. */

import type { Progress } from "./model";

/** 754 s as 12:34. */
export function clockText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** 0 to 1. */
export function shareDone(progress: Progress): number {
  return progress.duration_s > 0 ? Math.min(1, Math.max(0, progress.elapsed_s / progress.duration_s)) : 0;
}

/** Seconds until the next cycle begins, null in the last one. Cycles of a program are of equal length. */
export function nextCycle_s(progress: Progress): number | null {
  if (progress.cycles < 1 || progress.cycle >= progress.cycles || progress.cycle < 1) return null;
  const period_s = progress.duration_s / progress.cycles;
  return Math.max(0, Math.round(progress.cycle * period_s - progress.elapsed_s));
}
