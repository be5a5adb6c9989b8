import { describe, expect, it } from "vitest";
import { clock, dayKey, dayStart_s, fineClock, length, number, signed, spanTold } from "../src/history/format";
import { firstWeekday, weekdays, weeksOf } from "../src/history/month";
import { around, clamp, isWhole, labelPlaces, reach, shift, SHORTEST_S, zoom } from "../src/history/span";
import { readRoute } from "../src/route";

describe("addresses", () => {
  it("name a page, and everything else is the live one", () => {
    expect(readRoute("/", "")).toEqual({ page: "live" });
    expect(readRoute("/elsewhere", "")).toEqual({ page: "live" });
    expect(readRoute("/history", "?state=stopped")).toEqual({ page: "list", search: "?state=stopped" });
    expect(readRoute("/history/", "")).toEqual({ page: "list", search: "" });
    expect(readRoute("/history/20261125-190000-abc", "")).toEqual({ page: "session", session: "20261125-190000-abc" });
    expect(readRoute("/compare", "?one=a&other=b")).toEqual({ page: "compare", one: "a", other: "b" });
    expect(readRoute("/compare", "?one=a")).toEqual({ page: "compare", one: "a", other: null });
    expect(readRoute("/trends", "")).toEqual({ page: "trends", search: "" });
  });
});

describe("times and figures", () => {
  it("are written as a clock", () => {
    expect([clock(754), clock(3754), clock(-3), clock(0), clock(-0.4)]).toEqual(["12:34", "1:02:34", "−0:03", "0:00", "0:00"]);
    expect([fineClock(59.97), fineClock(61.24), fineClock(-1.5), fineClock(-0.01)]).toEqual(["1:00.0", "1:01.2", "−0:01.5", "0:00.0"]);
  });
  it("are told as a part of the whole, closely where it is short", () => {
    expect(spanTold({ from_s: 130, to_s: 245 }, 900)).toEqual({ from: "2:10", to: "4:05", all: "15:00" });
    expect(spanTold({ from_s: 130, to_s: 141.25 }, 900)).toEqual({ from: "2:10.0", to: "2:21.3", all: "15:00.0" });
  });
  it("are told as a length", () => {
    expect([length(42.4), length(120), length(754), length(7201), length(-1)]).toEqual(["42 s", "2 min", "12 min 34 s", "120 min", "0 s"]);
  });
  it("follow the language, and a difference has its sign", () => {
    expect(number(1234.5, 1, "de")).toBe("1.234,5");
    expect(number(null, 1, "de")).toBe("–");
    expect([signed(1.25, 1, "en"), signed(-1.26, 1, "en"), signed(0.04, 1, "en"), signed(-0.04, 1, "en"), signed(null, 1, "en")]).toEqual(["+1.3", "−1.3", "0.0", "0.0", "–"]);
  });
  it("know the beginning of a day", () => {
    const day = new Date(2026, 1, 28, 15, 30);
    expect(dayKey(day)).toBe("2026-02-28");
    expect(dayStart_s("2026-02-28")).toBe(new Date(2026, 1, 28).getTime() / 1000);
    expect(dayStart_s("2026-02-28", 1)).toBe(new Date(2026, 2, 1).getTime() / 1000);
    expect(dayStart_s("")).toBeNull();
    expect(dayStart_s("2026-2-28")).toBeNull();
  });
});

describe("a month", () => {
  it("is whole weeks that cover it", () => {
    for (let month = 0; month < 24; month++) {
      for (const first of [1, 6, 7]) {
        const weeks = weeksOf(2026, month, first);
        const days = weeks.flat();
        expect(days.length % 7).toBe(0);
        expect(((days[0] as Date).getDay() + 6) % 7).toBe((first - 1) % 7);
        const own = days.filter((day) => day.getMonth() === month % 12);
        expect(own.map((day) => day.getDate())).toEqual(Array.from({ length: new Date(2026, month + 1, 0).getDate() }, (_, i) => i + 1));
        expect(weeks.every((week) => week.some((day) => day.getMonth() === month % 12))).toBe(true);
      }
    }
  });
  it("begins its weeks as the language does", () => {
    expect(firstWeekday("de")).toBe(1);
    expect(weekdays("en", 7)[0]?.long).toBe("Sunday");
    expect(weekdays("de", 1).map((day) => day.long)).toEqual(["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"]);
  });
});

describe("what is looked at of a session", () => {
  const whole = { from_s: -2, to_s: 98 };
  it("stays inside it, and never gets too short", () => {
    expect(clamp({ from_s: -50, to_s: 10 }, whole)).toEqual({ from_s: -2, to_s: 58 });
    expect(clamp({ from_s: 0, to_s: 1000 }, whole)).toEqual(whole);
    const short = clamp({ from_s: 40, to_s: 40.01 }, whole);
    expect(short.to_s - short.from_s).toBeCloseTo(SHORTEST_S);
    expect(around(97, 20, whole)).toEqual({ from_s: 78, to_s: 98 });
  });
  it("zooms about its middle and moves by its own length", () => {
    expect(zoom(whole, 0.5, whole)).toEqual({ from_s: 23, to_s: 73 });
    expect(isWhole(zoom({ from_s: 23, to_s: 73 }, 2, whole), whole)).toBe(true);
    expect(shift({ from_s: 23, to_s: 73 }, 0.5, whole)).toEqual({ from_s: 48, to_s: 98 });
    expect(isWhole({ from_s: 23, to_s: 73 }, whole)).toBe(false);
  });
  it("goes only where there is something", () => {
    expect(reach(whole, whole)).toEqual({ closer: true, further: false, earlier: false, later: false });
    expect(reach(clamp({ from_s: -9, to_s: -8.9 }, whole), whole)).toEqual({ closer: false, further: true, earlier: false, later: true });
    expect(reach({ from_s: 23, to_s: 73 }, whole)).toEqual({ closer: true, further: true, earlier: true, later: true });
  });
  it("has each line's number where nothing else stands", () => {
    const xs = Array.from({ length: 101 }, (_, i) => i);
    const same = xs.map(() => 40);
    const hill = xs.map((x) => (x > 10 && x < 20 ? 50 : 0));
    const places = labelPlaces(xs, [same, same, hill, xs.map(() => null)], { from_s: 0, to_s: 100 });
    // Each in its own quarter; the one that is up for a moment only is named there.
    expect(places).toEqual([12, 37, 19, null]);
    expect(labelPlaces(xs, [hill], { from_s: 50, to_s: 100 })[0]).toBeGreaterThanOrEqual(50);
  });
});
