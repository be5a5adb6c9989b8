/** What the trends show: a chart a row, and shapes by which its series are told apart without their colours. Pure. */

import type { Side, TrendLine, TrendWrap } from "./ask";
import type { HistoryKey, HistoryWords } from "./words";

/** About 0,0, in pixels, and so that all of them can be seen where they lie on one point. */
export const SHAPES = {
  dot: { path: "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0Z", filled: true },
  ring: { path: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z", filled: false },
  triangle: { path: "M0 -7L6.4 4.2L-6.4 4.2Z", filled: false },
  cross: { path: "M-4 -4L4 4M-4 4L4 -4", filled: false },
} as const;

export type Shape = keyof typeof SHAPES;

export interface TrendSeries {
  name: (words: HistoryWords) => string;
  shape: Shape;
  colour: number;
  dash: number[];
  read: (line: TrendLine) => number | null;
}

/** Of the table, which has a row a wrap. */
export interface TrendColumn {
  name: (words: HistoryWords) => string;
  read: (line: TrendLine, wrap: TrendWrap) => number | null;
}

export interface TrendChart {
  title: HistoryKey;
  help: HistoryKey;
  digits: number;
  /** the end of a scale that has one */
  top?: number;
  /** Whether the line goes on over sessions without a value. */
  spans: boolean;
  series: TrendSeries[];
  columns: TrendColumn[];
}

/** Of the first wrap of a side. */
function bySide(title: HistoryKey, help: HistoryKey, digits: number, read: (wrap: TrendWrap) => number | null): TrendChart {
  const series = (side: Side, shape: Shape, colour: number, dash: number[]): TrendSeries => ({
    name: (words) => words.shared(side),
    shape,
    colour,
    dash,
    read: (line) => {
      const wrap = line.wraps.find((one) => one.side === side);
      return wrap === undefined ? null : read(wrap);
    },
  });
  return { title, help, digits, spans: true, series: [series("left", "dot", 2, []), series("right", "ring", 6, [5, 4])], columns: [{ name: (words: HistoryWords) => words.say(title), read: (_line: TrendLine, wrap: TrendWrap) => read(wrap) }] };
}

/** What was used; that of one that was charged meanwhile is not known. */
export function batteryUsed_pct(wrap: TrendWrap): number | null {
  const { battery_start_pct: start, battery_end_pct: end } = wrap;
  return start === null || end === null || end > start ? null : start - end;
}

function ofBattery(): TrendChart {
  const chart = bySide("trends_battery", "trends_battery_help", 0, batteryUsed_pct);
  return { ...chart, columns: [...chart.columns, { name: (words) => words.say("trends_battery_end"), read: (_line, wrap) => wrap.battery_end_pct }] };
}

function ofSoreness(): TrendChart {
  const moment = (name: HistoryKey, at: keyof NonNullable<TrendLine["soreness"]>, shape: Shape, colour: number, dash: number[]): TrendSeries => ({
    name: (words) => words.say(name),
    shape,
    colour,
    dash,
    read: (line) => line.soreness?.[at] ?? null,
  });
  const series = [
    moment("trends_before", "before", "ring", 2, []),
    moment("trends_after", "after", "dot", 6, [6, 3]),
    moment("trends_24_h", "hours_24", "triangle", 4, [2, 3]),
    moment("trends_48_h", "hours_48", "cross", 8, [8, 3, 2, 3]),
  ];
  const columns = series.map(({ name, read }): TrendColumn => ({ name: (words) => `${words.say("trends_soreness")}, ${name(words)}`, read: (line) => read(line) }));
  return { title: "trends_soreness", help: "trends_soreness_help", digits: 0, top: 10, spans: false, series, columns };
}

/** Steps of an axis: whole numbers for what is counted in them, and no more lines than a scale of ten needs. */
export function axisSteps(chart: TrendChart): number[] {
  if (chart.top !== undefined) return [chart.top / 5];
  const powers = Array.from({ length: 12 }, (_, i) => 10 ** (i - 4));
  return powers.flatMap((power) => [power, 2 * power, 5 * power]).filter((step) => step >= 1 || chart.digits > 0);
}

export const CHARTS: TrendChart[] = [
  ofSoreness(),
  bySide("trends_over", "trends_over_help", 1, (wrap) => wrap.over_threshold_s),
  bySide("trends_dose", "trends_dose_help", 0, (wrap) => wrap.pressure_time_mmhg_s),
  bySide("trends_leak", "trends_leak_help", 3, (wrap) => wrap.leak_mmhg_s),
  bySide("trends_timing", "trends_timing_help", 2, (wrap) => wrap.timing_p99_ms),
  ofBattery(),
  bySide("trends_missing", "trends_missing_help", 0, (wrap) => wrap.missing),
];
