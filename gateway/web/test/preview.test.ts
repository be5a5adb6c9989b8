import { describe, expect, it } from "vitest";
import { Model, targetAt, type Json } from "../src/model";
import { targetColumn } from "../src/chart";
import { Overview } from "../src/overview";
import { ticks } from "../src/preview";

describe("the target between states", () => {
  const corners = [[10, 0], [10.5, 0], [11.5, 40], [12.5, 40]];

  it("lies on the line between two corners", () => {
    expect([9.9, 10.2, 11, 11.5, 12].map((at_s) => targetAt(corners, at_s, 0))).toEqual([null, 0, 20, 40, 40]);
  });

  it("is held a little after the last corner, and not known where a path is missing", () => {
    expect([targetAt(corners, 13, 0), targetAt(corners, 20, 0)]).toEqual([40, null]);
    expect(targetAt([...corners, [30, 0], [32, 0]], 20, 0)).toBeNull();
    expect(targetAt([], 1, 0)).toBeNull();
  });

  it("is drawn by its corners alone", () => {
    const xs = Array.from({ length: 200 }, (_, i) => -4 + i * 0.02);
    const column = targetColumn(xs, corners, 0, 13);
    const drawn = column.flatMap((value, i) => (typeof value === "number" ? [[13 + (xs[i] as number), value]] : []));
    expect(drawn.length).toBeLessThan(12);
    expect(column[0]).toBeNull(); // before the first corner
    for (const [at_s, value] of drawn) expect(value).toBeCloseTo(targetAt(corners, at_s as number, 0) as number, 6);
    expect(Math.max(...drawn.map(([, value]) => value as number))).toBe(40);
  });

  it("is what the newest path says of it", () => {
    const model = new Model();
    const say = (unix_s: number, mmhg: number): void => {
      const v: Json = { id: "left", side: "left", link: "ready", device_state: "running", fault: null, pressure_mmhg: [1], target_mmhg: [mmhg], battery_pct: 1, clock: null, session: null };
      model.take({ k: "wrap", w: "left", part: "state", v: { ...v, target_path: { unix_s, points: [[0, mmhg], [2.5, mmhg]] } } }, 0);
    };
    say(100, 30);
    say(101, 50); // a step was taken back
    const { targets } = model.sorted()[0]!;
    expect([100.5, 101.5].map((at_s) => targetAt(targets, at_s, 0))).toEqual([30, 50]);
    for (let unix_s = 102; unix_s < 400; unix_s++) say(unix_s, 10);
    expect(model.sorted()[0]!.targets.length).toBeLessThan(140);
  });
});

describe("an axis", () => {
  it("has few round ticks", () => {
    expect(ticks(83, 4)).toEqual([0, 30, 60]);
    expect(ticks(43, 6)).toEqual([0, 10, 20, 30, 40]);
  });
});

describe("the whole session", () => {
  it("keeps a point a second with what is not known, and no more than an hour", () => {
    const overview = new Overview();
    overview.push(1e9 + 10, [30, 0, 40, null]);
    overview.push(1e9 + 11, [31, 1, 40, 0]);
    expect(overview.columns(1e9, 4)).toEqual([[10, 11], [30, 31], [0, 1], [40, 40], [null, 0]]);
    expect([overview.begin_s, overview.newest_s]).toEqual([1e9 + 10, 1e9 + 11]);
    for (let i = 0; i < 5000; i++) overview.push(1e9 + 12 + i, [1, 1, 1, 1]);
    expect(overview.length).toBeLessThan(3700);
    overview.clear();
    overview.push(5, [1, 2]); // a wrap with one chamber
    expect(overview.columns(0, 2)).toEqual([[5], [1], [2]]);
  });
});
