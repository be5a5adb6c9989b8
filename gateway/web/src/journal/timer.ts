/** The warm-up and stretching timers: a state that is kept by the browser, so that they run on over a reload. Pure; the time is passed in. */

export const TIMERS = ["warm_up", "stretch"] as const;
export type TimerName = (typeof TIMERS)[number];

/** `ends_ms` while it runs; `left_ms` while it does not; `done_ms` is when it was over, until it is used or begun anew. */
export interface Timer {
  length_s: number;
  left_ms: number;
  ends_ms: number | null;
  done_ms: number | null;
}

export type Timers = Record<TimerName, Timer>;

/** Minutes that can be chosen: warming up takes 5 to 10, stretching 10. */
export const MINUTES: Record<TimerName, number[]> = { warm_up: [5, 6, 7, 8, 9, 10], stretch: [10] };

export function freshTimer(length_s: number): Timer {
  return { length_s, left_ms: length_s * 1000, ends_ms: null, done_ms: null };
}

export function freshTimers(): Timers {
  return { warm_up: freshTimer(300), stretch: freshTimer(600) };
}

export function startTimer(timer: Timer, now_ms: number): Timer {
  const left_ms = timer.left_ms > 0 ? timer.left_ms : timer.length_s * 1000;
  return { ...timer, left_ms, ends_ms: now_ms + left_ms, done_ms: null };
}

export function pauseTimer(timer: Timer, now_ms: number): Timer {
  return { ...timer, left_ms: left_ms(timer, now_ms), ends_ms: null };
}

export function left_ms(timer: Timer, now_ms: number): number {
  return timer.ends_ms === null ? timer.left_ms : Math.max(0, timer.ends_ms - now_ms);
}

/** As it is now: one whose time is over has ended, also while no page looked. */
export function tickTimer(timer: Timer, now_ms: number): Timer {
  if (timer.ends_ms === null || now_ms < timer.ends_ms) return timer;
  return { ...timer, left_ms: 0, ends_ms: null, done_ms: timer.ends_ms };
}

/** 65 000 is "1:05"; a second that has begun counts. */
export function timerText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** What an earlier page has left behind; what cannot be read is as if there were nothing. */
export function readTimers(text: string | null): Timers {
  const fresh = freshTimers();
  if (text === null) return fresh;
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch {
    return fresh;
  }
  const found = { ...fresh };
  for (const name of TIMERS) {
    const one = (kept as Partial<Record<TimerName, unknown>> | null)?.[name];
    if (isTimer(one) && MINUTES[name].includes(one.length_s / 60)) found[name] = one;
  }
  return found;
}

function isTimer(value: unknown): value is Timer {
  if (typeof value !== "object" || value === null) return false;
  const { length_s, left_ms: left, ends_ms, done_ms } = value as Record<string, unknown>;
  const orNull = (one: unknown): boolean => one === null || Number.isFinite(one);
  return Number.isFinite(length_s) && Number.isFinite(left) && orNull(ends_ms) && orNull(done_ms);
}
