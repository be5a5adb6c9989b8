/** Figures, times and lengths as text. Pure: the language comes in. */

/** 754 is 12:34, 3754 is 1:02:34, -3 is −0:03. */
export function clock(seconds: number): string {
  const whole = Math.round(Math.abs(seconds));
  const sign = seconds <= -0.5 ? "−" : "";
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  return hours > 0 ? `${sign}${hours}:${two(minutes)}:${two(rest)}` : `${sign}${minutes}:${two(rest)}`;
}

/** The same with tenths, for what is looked at closely. */
export function fineClock(seconds: number): string {
  const tenths = Math.round(Math.abs(seconds) * 10);
  return `${seconds <= -0.05 ? "−" : ""}${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** A part of something that ends at `end_s`, all three written alike: with tenths where it is looked at closely. */
export function spanTold(span: { from_s: number; to_s: number }, end_s: number): { from: string; to: string; all: string } {
  const write = span.to_s - span.from_s < 60 ? fineClock : clock;
  return { from: write(span.from_s), to: write(span.to_s), all: write(end_s) };
}

/** 90 is "1 min 30 s". */
export function length(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return whole % 60 === 0 || minutes >= 60 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
}

export function number(value: number | null, digits: number, language: string): string {
  if (value === null) return "–";
  return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** With its sign, as a difference is written; what rounds to nothing has none. */
export function signed(value: number | null, digits: number, language: string): string {
  if (value === null) return "–";
  const text = number(Math.abs(value), digits, language);
  if (Number(Math.abs(value).toFixed(digits)) === 0) return text;
  return `${value < 0 ? "−" : "+"}${text}`;
}

export function dateTime(unix_s: number, language: string): string {
  return new Date(unix_s * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
}

export function longDate(date: Date, language: string): string {
  return date.toLocaleDateString(language, { dateStyle: "full" });
}

/** "2026-11-25" of a date, where this browser is. */
export function dayKey(date: Date): string {
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Midnight of such a day, `days` later; null for what is no day. */
export function dayStart_s(key: string, days = 0): number | null {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(key);
  if (found === null) return null;
  // By calendar and not by 86,400 s: two days a year are longer or shorter.
  return new Date(Number(found[1]), Number(found[2]) - 1, Number(found[3]) + days).getTime() / 1000;
}
