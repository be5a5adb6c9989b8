import { describe, expect, it } from "vitest";
import { nextLook_ms } from "../src/corner";
import { byDay, type Journal, type RunLine } from "../src/journal/entries";
import { drink_ml, toKg } from "../src/journal/hydration";
import { drinkOf, inputTime, readNumber, readRun, type RunText } from "../src/journal/run";
import { freshTimer, freshTimers, left_ms, pauseTimer, readTimers, startTimer, tickTimer, timerText } from "../src/journal/timer";
import { dayMarks, placeMarks } from "../src/journal/trend";

describe("how much to drink", () => {
  it("is 591 ml for each pound lost, as the gateway says", () => {
    expect(drink_ml(70, 70 - 0.45359237)).toBeCloseTo(591.47, 2);
    expect(drink_ml(71.2, 70.3)).toBeCloseTo(1173.573, 2);
    expect(drink_ml(70, 71)).toBe(0);
    expect(toKg(154, "lb")).toBeCloseTo(69.853, 3);
  });

  it("shows once both weights make sense", () => {
    expect(drinkOf("71,2", "70.3", "kg")).toBeCloseTo(1173.573, 2);
    expect(drinkOf("154", "153", "lb")).toBeCloseTo(591.47, 2);
    expect(drinkOf("70", "70", "kg")).toBe(0);
    for (const [before, after] of [["71", ""], ["", "71"], ["71", "x"], ["71", "155"], ["7", "7"]] as const) expect(drinkOf(before, after, "kg")).toBeNull();
  });
});

const TYPED: RunText = { ended: "2026-11-24T18:30", minutes: "50", km: "8,2", effort: "6", before: "71,2", after: "70.3", warm_up: "8", stretch: "", note: " hills " };

describe("a run that was typed", () => {
  it("becomes what the gateway takes, every number in its unit", () => {
    expect(readRun(TYPED, "kg")).toEqual({
      body: {
        ended_unix_s: new Date(2026, 10, 24, 18, 30).getTime() / 1000,
        duration_s: 3000,
        distance_m: 8200,
        effort: 6,
        weight_before_kg: 71.2,
        weight_after_kg: 70.3,
        warm_up_s: 480,
        stretch_s: null,
        note: "hills",
      },
    });
    const inPounds = readRun({ ...TYPED, before: "154", after: "153" }, "lb");
    expect("body" in inPounds && inPounds.body.weight_before_kg).toBe(69.8532);
    const bare = readRun({ ...TYPED, km: "", effort: "", before: "", after: "", warm_up: "" }, "kg");
    expect("body" in bare && [bare.body.distance_m, bare.body.effort, bare.body.weight_before_kg, bare.body.warm_up_s]).toEqual([null, null, null, null]);
  });

  it.each([
    ["ended", { ended: "" }],
    ["minutes", { minutes: "" }],
    ["minutes", { minutes: "0" }],
    ["minutes", { minutes: "an hour" }],
    ["km", { km: "-3" }],
    ["before", { before: "712" }],
    ["after", { after: "155" }],
    ["warm_up", { warm_up: "121" }],
    ["stretch", { stretch: "ten" }],
  ] as const)("names %s where it is wrong", (field, change) => {
    expect(readRun({ ...TYPED, ...change }, "kg")).toEqual({ wrong: field });
  });

  it("reads numbers as people write them", () => {
    expect([readNumber(" 7,5 "), readNumber("7.5"), readNumber("7."), readNumber(".5"), readNumber("")]).toEqual([7.5, 7.5, 7, 0.5, null]);
    for (const text of ["1e3", "1,000.5", "-1", "0x10", "7 5"]) expect(readNumber(text)).toBeNaN();
  });

  it("offers the time as its input wants it", () => {
    expect(inputTime(new Date(2026, 0, 2, 3, 4))).toBe("2026-01-02T03:04");
  });
});

describe("a timer", () => {
  it("runs by the wall clock, pauses, goes on, and is over once", () => {
    let timer = startTimer(freshTimer(300), 1_000);
    expect(left_ms(timer, 61_000)).toBe(240_000);
    timer = pauseTimer(timer, 61_000);
    expect(left_ms(timer, 999_000)).toBe(240_000);
    timer = startTimer(timer, 100_000);
    expect(tickTimer(timer, 339_999)).toBe(timer);
    timer = tickTimer(timer, 500_000); // no page looked meanwhile
    expect(timer).toEqual({ length_s: 300, left_ms: 0, ends_ms: null, done_ms: 340_000 });
    expect(tickTimer(timer, 600_000)).toBe(timer);
    expect(startTimer(timer, 0)).toEqual({ length_s: 300, left_ms: 300_000, ends_ms: 300_000, done_ms: null });
  });

  it("survives a reload, and rubbish in the store", () => {
    const kept = { ...freshTimers(), warm_up: startTimer(freshTimer(480), 5_000) };
    expect(readTimers(JSON.stringify(kept))).toEqual(kept);
    for (const text of [null, "", "7", "null", "[]", '{"warm_up":{"length_s":7}}', '{"warm_up":{"length_s":60,"left_ms":1,"ends_ms":null,"done_ms":null}}'])
      expect(readTimers(text)).toEqual(freshTimers());
  });

  it("counts a second that has begun", () => {
    expect([timerText(0), timerText(1), timerText(59_001), timerText(600_000)]).toEqual(["0:00", "0:01", "1:00", "10:00"]);
  });
});

const RUN: RunLine = {
  kind: "run", entry: "r", ended_unix_s: 1000, duration_s: 600, distance_m: null, effort: null, weight_before_kg: null, weight_after_kg: null,
  warm_up_s: null, stretch_s: null, load_min: null, drink_ml: null, note: "",
};
const JOURNAL: Journal = {
  now_unix_s: 100_000,
  due: [],
  next_due_unix_s: null,
  entries: [{ kind: "soreness", entry: "b", unix_s: 90_000, soreness: 10, note: "" }, { kind: "soreness", entry: "a", unix_s: 50_000, soreness: 0, note: "" }, RUN],
  sessions: [{ session: "s", program: "calf-wave", began_unix_s: 60_000, ended_unix_s: null, soreness: { before: 1, after: null, hours_24: null, hours_48: null } }],
};

describe("the entries", () => {
  it("stand day by day, sessions between them, the newest first", () => {
    const days = byDay(JOURNAL, (unix_s) => (unix_s >= 55_000 ? "late" : "early"));
    expect(days.map(({ day, lines }) => [day, lines.map((line) => line.kind)])).toEqual([
      ["late", ["soreness", "session"]],
      ["early", ["soreness", "run"]],
    ]);
  });

  it("have their place in the chart", () => {
    const frame = { width: 120, height: 100, left: 10, right: 10, top: 10, bottom: 20 };
    const marks = placeMarks(JOURNAL, 40_000, 90_000, frame);
    expect(marks.ratings.map(({ x, y }) => [x, y])).toEqual([[30, 80], [110, 10]]);
    expect(marks.sessions.map(({ x }) => x)).toEqual([50]);
    expect(marks.runs).toEqual([]); // before the time that is shown
  });

  it("have dates below them that leave room for each other, also over a change of the clock", () => {
    for (const days of [1, 14, 30, 90, 365]) {
      const from_s = new Date(2026, 2, 10, 12).getTime() / 1000;
      const marks = dayMarks(from_s, from_s + days * 86_400);
      expect(marks.length).toBeGreaterThan(0);
      expect(marks.length).toBeLessThanOrEqual(7);
      for (const mark of marks) expect(new Date(mark * 1000).getHours()).toBe(0);
    }
  });
});

describe("the live page asks again", () => {
  it("when the next question falls due, and within the hour at the latest", () => {
    const due = { now_unix_s: 1000, due: [], next_due_unix_s: null as number | null };
    expect(nextLook_ms(due)).toBe(3_600_000);
    expect(nextLook_ms({ ...due, next_due_unix_s: 1060 })).toBe(61_000);
    expect(nextLook_ms({ ...due, next_due_unix_s: 1001 })).toBe(5_000);
    expect(nextLook_ms({ ...due, next_due_unix_s: 900_000 })).toBe(3_600_000);
  });
});
