/** What was typed about a run, read and judged before it is sent. Pure. */

import { drink_ml, toKg, type WeightUnit } from "./hydration";

export type RunField = "ended" | "minutes" | "km" | "effort" | "before" | "after" | "warm_up" | "stretch" | "note";
export type RunText = Record<RunField, string>;

export interface RunBody {
  ended_unix_s: number;
  duration_s: number;
  distance_m: number | null;
  effort: number | null;
  weight_before_kg: number | null;
  weight_after_kg: number | null;
  warm_up_s: number | null;
  stretch_s: number | null;
  note: string;
}

export type RunRead = { body: RunBody } | { wrong: RunField };

/** The limits of `wavewrap_protocol.journal_notes`, which judges again. */
const WEIGHT_KG = { least: 20, most: 350 };
const WEIGHT_CHANGE_MAX = 0.1;

/** "71,2" and "71.2" are 71.2; nothing is null; what is no number is NaN. */
export function readNumber(text: string): number | null {
  const plain = text.trim().replace(",", ".");
  if (plain === "") return null;
  return /^\d+(\.\d*)?$|^\.\d+$/.test(plain) ? Number(plain) : NaN;
}

/** How much to drink, as soon as both weights make sense; otherwise null. */
export function drinkOf(before: string, after: string, unit: WeightUnit): number | null {
  const [from, to] = [readWeight(before, unit), readWeight(after, unit)];
  if (from === null || to === null || !isWeight(from) || !isWeight(to) || areFarApart(from, to)) return null;
  return drink_ml(from, to);
}

export function readRun(text: RunText, unit: WeightUnit): RunRead {
  const ended_s = new Date(text.ended).getTime() / 1000;
  if (!Number.isFinite(ended_s)) return { wrong: "ended" };
  const minutes = readNumber(text.minutes);
  if (minutes === null || !(minutes > 0 && minutes <= 48 * 60)) return { wrong: "minutes" };
  const km = readNumber(text.km);
  if (km !== null && !(km > 0 && km <= 500)) return { wrong: "km" };
  const before_kg = readWeight(text.before, unit);
  if (before_kg !== null && !isWeight(before_kg)) return { wrong: "before" };
  const after_kg = readWeight(text.after, unit);
  if (after_kg !== null && (!isWeight(after_kg) || (before_kg !== null && areFarApart(before_kg, after_kg)))) return { wrong: "after" };
  const warmUp = readNumber(text.warm_up);
  if (warmUp !== null && !(warmUp <= 120)) return { wrong: "warm_up" };
  const stretch = readNumber(text.stretch);
  if (stretch !== null && !(stretch <= 120)) return { wrong: "stretch" };
  return {
    body: {
      ended_unix_s: ended_s,
      duration_s: minutes * 60,
      distance_m: km === null ? null : Math.round(km * 1000),
      effort: text.effort === "" ? null : Number(text.effort),
      weight_before_kg: rounded(before_kg),
      weight_after_kg: rounded(after_kg),
      warm_up_s: warmUp === null ? null : warmUp * 60,
      stretch_s: stretch === null ? null : stretch * 60,
      note: text.note.trim(),
    },
  };
}

/** The time of a date as its input wants it, in this browser's time. */
export function inputTime(date: Date): string {
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

function readWeight(text: string, unit: WeightUnit): number | null {
  const typed = readNumber(text);
  return typed === null ? null : toKg(typed, unit);
}

function isWeight(weight_kg: number): boolean {
  return weight_kg >= WEIGHT_KG.least && weight_kg <= WEIGHT_KG.most;
}

function areFarApart(before_kg: number, after_kg: number): boolean {
  return Math.abs(before_kg - after_kg) > WEIGHT_CHANGE_MAX * before_kg;
}

function rounded(weight_kg: number | null): number | null {
  return weight_kg === null ? null : Math.round(weight_kg * 10_000) / 10_000;
}
