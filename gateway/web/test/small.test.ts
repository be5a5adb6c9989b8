import { describe, expect, it } from "vitest";
import { chamberPath, halfWidth } from "../src/calf";
import { clockText, nextCycle_s, shareDone } from "../src/progress";
import { judge } from "../src/start";
import { Model } from "../src/model";
import { ANSWER_MS, isStopKey, SHOWN_MS, Stop } from "../src/stop";
import { format, loadStrings, pickLanguage, Words } from "../src/text";

describe("STOP", () => {
  const model = new Model();
  const reached = { reached: [model], missed: [], waiting: [] };
  const missed = { reached: [], missed: [model], waiting: [] };
  const unanswered = { reached: [], missed: [], waiting: [model] };

  it("is vented only when the pressures say so", () => {
    const stop = new Stop();
    stop.press(0);
    stop.tick(100, true);
    expect(stop.step).toBe("asked"); // vented before anybody was told
    stop.answer(reached, 200);
    stop.tick(5000, false);
    expect(stop.step).toBe("acknowledged");
    stop.tick(5100, null);
    expect(stop.step).toBe("acknowledged"); // nothing measured is no proof
    stop.tick(5200, true);
    expect(stop.step).toBe("vented");
    stop.tick(5300, null);
    expect(stop.step).toBe("vented");
    stop.tick(5200 + SHOWN_MS + 1, true);
    expect(stop.step).toBe("idle");
  });

  it("says that it did not get through, and can be pressed again", () => {
    const stop = new Stop();
    stop.press(0);
    stop.answer(unanswered, ANSWER_MS - 1);
    expect(stop.step).toBe("asked");
    stop.answer(unanswered, ANSWER_MS + 1);
    expect(stop.step).toBe("failed");
    stop.press(4000);
    stop.answer(missed, 4100);
    expect(stop.step).toBe("failed");
    stop.press(5000);
    stop.answer(reached, 5100);
    expect(stop.step).toBe("acknowledged");
    expect(stop.isSlow(6000)).toBe(false);
    expect(stop.isSlow(60000)).toBe(true);
  });

  it("is no longer vented when the pressure is back", () => {
    const stop = new Stop();
    stop.press(0);
    stop.answer(reached, 10);
    stop.tick(1000, true);
    stop.tick(1100, false);
    expect(stop.step).toBe("idle");
  });

  it("has its keys", () => {
    const key = (name: string, ctrlKey = false, shiftKey = false) => isStopKey({ key: name, ctrlKey, shiftKey });
    expect([key("Escape"), key("E", true, true), key("e", true, true)]).toEqual([true, true, true]);
    expect([key("e"), key("e", true), key("Enter")]).toEqual([false, false, false]);
  });
});

describe("the questions before a session", () => {
  const no = { pain: false, swelling: false, bruising: false, stopped_running: false };
  it("need every answer", () => {
    expect(judge(true, no)).toBe("go");
    expect(judge(false, no)).toBe("ask");
    expect(judge(true, { pain: false })).toBe("ask");
    expect(judge(true, {})).toBe("ask");
    expect(judge(true, { ...no, swelling: true })).toBe("no");
    expect(judge(false, { bruising: true })).toBe("no");
  });
});

describe("progress", () => {
  const at = (elapsed_s: number, cycle: number) => ({ program: "x", state: "running", elapsed_s, duration_s: 120, cycle, cycles: 3 });
  it("is told in minutes and in cycles", () => {
    expect(clockText(754)).toBe("12:34");
    expect(clockText(-3)).toBe("0:00");
    expect(shareDone(at(30, 1))).toBe(0.25);
    expect(nextCycle_s(at(30, 1))).toBe(10);
    expect(nextCycle_s(at(100, 3))).toBeNull();
  });
});

describe("the drawing", () => {
  it("puffs a chamber up and stays as wide as the leg", () => {
    expect(halfWidth(110)).toBeGreaterThan(halfWidth(30));
    expect(halfWidth(265)).toBeLessThan(halfWidth(190));
    expect(chamberPath(40, 90, 0)).not.toBe(chamberPath(40, 90, 1));
    expect(chamberPath(40, 90, 0.5)).not.toContain("NaN");
  });
});

describe("words", () => {
  it("fill their values and leave unknown ones alone", async () => {
    expect(format("{n} of {all}", { n: 1 })).toBe("1 of {all}");
    expect(new Words("de", await loadStrings("de")).say("left")).toBe("Links");
    expect(new Words("en", await loadStrings("en")).sayOf("fault", "something_new")).toBe("something_new");
  });
  it("come in the language of the browser, else in English", () => {
    expect(pickLanguage(["de-AT", "en"])).toBe("de");
    expect(pickLanguage(["fr", "de"])).toBe("de");
    expect(pickLanguage(["fr"])).toBe("en");
  });
});
