import { describe, expect, it } from "vitest";
import type { TrendLine, TrendWrap } from "../src/history/ask";
import { axisSteps, batteryUsed_pct, CHARTS, SHAPES, type TrendChart } from "../src/history/trendcharts";

const WRAP: TrendWrap = { id: "wrap-left", side: "left", over_threshold_s: 10, pressure_time_mmhg_s: 500, peak_mmhg: 60, leak_mmhg_s: null, timing_p99_ms: 1.5, missing: 3, battery_start_pct: 83, battery_end_pct: 80 };

function line(wraps: TrendWrap[], soreness: TrendLine["soreness"] = null): TrendLine {
  return { session: "s", program: "p", state: "completed", started_unix_s: 0, wraps, soreness };
}

function chart(title: string): TrendChart {
  return CHARTS.find((one) => one.title === title) as TrendChart;
}

function values(title: string, of: TrendLine): (number | null)[] {
  return chart(title).series.map((series) => series.read(of));
}

describe("trends", () => {
  it("have a series a side, of its first wrap, and a hole where there is none", () => {
    const spare = { ...WRAP, id: "spare", over_threshold_s: 99 };
    expect(values("trends_over", line([WRAP, spare]))).toEqual([10, null]);
    expect(values("trends_over", line([{ ...WRAP, side: "right" }]))).toEqual([null, 10]);
    expect(values("trends_leak", line([WRAP]))).toEqual([null, null]);
  });
  it("have soreness by moment, whatever was recorded of the wraps; 0 is a rating and no hole", () => {
    expect(values("trends_soreness", line([], { before: 7, after: 0, hours_24: null, hours_48: 2 }))).toEqual([7, 0, null, 2]);
    expect(values("trends_soreness", line([WRAP]))).toEqual([null, null, null, null]);
    const { columns } = chart("trends_soreness");
    expect(columns.map((column) => column.read(line([WRAP], { before: 1, after: 2, hours_24: 3, hours_48: 4 }), WRAP))).toEqual([1, 2, 3, 4]);
  });
  it("do not guess what a wrap used that was charged meanwhile, or was not asked", () => {
    expect(batteryUsed_pct(WRAP)).toBe(3);
    expect(batteryUsed_pct({ ...WRAP, battery_end_pct: 83 })).toBe(0);
    expect(batteryUsed_pct({ ...WRAP, battery_end_pct: 90 })).toBeNull();
    expect(batteryUsed_pct({ ...WRAP, battery_start_pct: null })).toBeNull();
    expect(chart("trends_battery").columns.map((column) => column.read(line([WRAP]), WRAP))).toEqual([3, 80]);
  });
  it("have axes of whole numbers where that is what is counted", () => {
    expect(axisSteps(chart("trends_soreness"))).toEqual([2]);
    expect(axisSteps(chart("trends_battery")).every(Number.isInteger)).toBe(true);
    expect(axisSteps(chart("trends_leak"))[0]).toBeLessThan(0.001);
  });
  it("tell the series of a chart apart by shape and dashes, not by colour alone", () => {
    for (const { series } of CHARTS) {
      expect(new Set(series.map((one) => SHAPES[one.shape].path)).size).toBe(series.length);
      expect(new Set(series.map((one) => one.dash.join())).size).toBe(series.length);
    }
  });
});
