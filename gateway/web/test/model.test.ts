import { describe, expect, it } from "vitest";
import { findAlarms, findAllAlarms } from "../src/alarms";
import { Gateways, type Outcome } from "../src/gateways";
import { listTitles, Model, SILENCE_MS, STALE_MS, type Json } from "../src/model";
import { ANSWER_MS, Stop } from "../src/stop";
import en from "../src/strings/en.json";
import { Words } from "../src/text";

const words = new Words("en", en);

function state(more: Json = {}): Json {
  return {
    id: "left-leg", side: "left", link: "ready", device_state: "idle", fault: null, pressure_mmhg: null, target_mmhg: null, target_path: null, timing_ms: null, rssi_dbm: null, battery_pct: 90, clock: null, session: null, ...more,
  };
}

function session(name: string): Json {
  return { program: "calf-wave", state: name, elapsed_s: 1, duration_s: 60, cycle: 1, cycles: 2 };
}

function samples(seq: number, mmhg: number): Json {
  return { k: "s", b: [{ w: "left-leg", h: false, o: 1, q: seq, d: 20, u: 100 + seq * 0.02, p: [[mmhg], [mmhg]] }] };
}

function live(now_ms: number): Model {
  const model = new Model();
  model.take({ k: "hello", version: "1", gateways: [{ topic: "wavewrap", broker: "pi.local" }], check_before_start: true, login: false }, now_ms);
  model.take({ k: "all", bridge: { state: { state: "online" } }, events: [], wraps: {} }, now_ms);
  model.take({ k: "wrap", w: "left-leg", part: "state", v: state() }, now_ms);
  model.take(samples(0, 2), now_ms);
  return model;
}

describe("what is live", () => {
  it("is stale within a second of its last sample", () => {
    const model = live(0);
    const wrap = model.sorted()[0]!;
    expect(wrap.isStale(STALE_MS - 1)).toBe(false);
    expect(wrap.isStale(1000)).toBe(true);
    expect(wrap.isVented(100)).toBe(true);
    expect(wrap.isVented(1000)).toBe(false); // an old pressure proves nothing
  });

  it("knows that its server is silent before two seconds are over", () => {
    const model = live(0);
    expect(model.isAlone(SILENCE_MS)).toBe(false);
    expect(model.isAlone(1900)).toBe(true);
    expect(findAlarms(model, words, 1900).map((one) => one.id)).toEqual(["server"]);
  });

  it("does not take a backlog for live data", () => {
    const model = live(0);
    const told = { state: state(), availability: "online", summary: null, events: [], overview: [], paths: [], age_s: 30, state_age_s: 3, batches: (samples(0, 9).b as Json[]) };
    model.take({ k: "all", bridge: {}, events: [], wraps: { "left-leg": told } }, 5000);
    expect(model.sorted()[0]!.ring.latest()).toEqual([9, 9]);
    expect(model.sorted()[0]!.isStale(5000)).toBe(true);
  });

  it("begins the whole session anew with each session", () => {
    const model = live(0);
    const put = (name: string): void => model.take({ k: "wrap", w: "left-leg", part: "state", v: state({ session: session(name) }) }, 0);
    put("running");
    for (let seq = 50; seq < 500; seq += 10) model.take(samples(seq, 30), seq);
    expect(model.sorted()[0]!.overview.length).toBeGreaterThan(7);
    put("ended");
    put("arming");
    expect(model.sorted()[0]!.overview.length).toBe(0);
    expect(model.session()?.state).toBe("arming");
  });

  it("forgets a wrap that is called something else now", () => {
    const model = live(0);
    model.take({ k: "gone", w: "left-leg" }, 1);
    expect(model.sorted()).toEqual([]);
  });
});

describe("alarms", () => {
  it("are none while all is well", () => {
    expect(findAlarms(live(0), words, 100)).toEqual([]);
  });

  it("say a fault in plain words with what to do, the worst first", () => {
    const model = live(0);
    model.take({ k: "wrap", w: "left-leg", part: "state", v: state({ fault: "vent_failed", battery_pct: 5 }) }, 0);
    const alarms = findAlarms(model, words, 100);
    expect(alarms.map((one) => one.level)).toEqual(["critical", "warning"]);
    expect(alarms[0]!.what).toContain("Take it off now");
    expect(alarms[0]!.fault).toEqual({ wrap: "left-leg", fault: "vent_failed" });
  });

  it("say that a session is not proven vented until the pressures prove it", () => {
    const model = live(0);
    const summary = { program: "x", ended: "faulted", reason: "", vented: false, wraps: [] };
    model.take({ k: "wrap", w: "left-leg", part: "session", v: summary }, 0);
    model.take(samples(1, 30), 0);
    expect(findAlarms(model, words, 100).map((one) => one.id)).toEqual(["left-leg-vented"]);
    model.take(samples(2, 1), 200);
    expect(findAlarms(model, words, 300)).toEqual([]);
  });

  it("say that broker or gateway are gone", () => {
    const model = live(0);
    model.take({ k: "broker", down: "refused" }, 0);
    expect(findAlarms(model, words, 100)[0]!.what).toContain("refused");
    model.take({ k: "broker", down: null }, 0);
    model.take({ k: "bridge", part: "state", v: { state: "offline" } }, 0);
    expect(findAlarms(model, words, 100).map((one) => one.id)).toEqual(["gateway"]);
  });
});

describe("what comes late", () => {
  it("fills gaps and makes nothing fresh", () => {
    const model = live(0);
    const late = samples(5, 30);
    (late.b as { h: boolean }[])[0]!.h = true;
    model.take(late, 5000);
    expect(model.sorted()[0]!.isStale(5000)).toBe(true);
  });
});

describe("a wrap at rest", () => {
  it("is live by its states alone, and stale when they stop", () => {
    const model = live(0);
    model.take({ k: "wrap", w: "left-leg", part: "state", v: state({ pressure_mmhg: [3, 4] }) }, 2000);
    const wrap = model.sorted()[0]!;
    expect(wrap.latest(3500)).toEqual([3, 4]);
    expect([wrap.isStale(3500), wrap.isVented(3500), wrap.isStale(9100)]).toEqual([false, true, true]);
  });

  it("is not live by what lay on the broker", () => {
    const model = live(0);
    model.take({ k: "wrap", w: "left-leg", part: "state", v: state({ pressure_mmhg: [3, 4] }), old: true }, 2000);
    expect(model.sorted()[0]!.isStale(2100)).toBe(true);
  });

  it("is stale within a second once a session plays on it", () => {
    const model = live(0);
    model.take(samples(1, 30), 2000);
    model.take({ k: "wrap", w: "left-leg", part: "state", v: state({ pressure_mmhg: [30, 30], session: session("running") }) }, 2500);
    expect([model.sorted()[0]!.isStale(2800), model.sorted()[0]!.isStale(3000)]).toEqual([false, true]);
  });
});

describe("vented", () => {
  it("is said of fresh pressures of every wrap, or by a record that came after STOP", () => {
    const model = live(0);
    const gateways = new Gateways();
    gateways.models = [model];
    const vented = (now_ms: number, since_ms: number): boolean | null => gateways.vented(now_ms, since_ms);
    model.take(samples(1, 30), 100);
    expect(vented(200, 0)).toBe(false);
    model.take(samples(2, 1), 300);
    expect(vented(400, 0)).toBe(true);
    expect(vented(1400, 0)).toBeNull(); // old pressures prove nothing
    const summary = { program: "x", ended: "stopped", reason: "", vented: true, wraps: [] };
    model.take({ k: "wrap", w: "left-leg", part: "session", v: summary, old: true }, 1500);
    expect(vented(1600, 1000)).toBeNull();
    model.take({ k: "wrap", w: "left-leg", part: "session", v: summary }, 1700);
    expect(vented(9000, 1000)).toBe(true);
    expect(vented(9000, 2000)).toBeNull();
    expect(new Gateways().vented(0, 0)).toBeNull();
  });
});

describe("several gateways", () => {
  const talk = (gateways: Gateways, g: number, message: Json, now_ms = 0): boolean => gateways.take({ g, ...message }, now_ms);
  const places = ({ reached, missed, waiting }: Outcome): number[][] => [reached, missed, waiting].map((some) => some.map((model) => model.index));
  const two = (): Gateways => {
    const gateways = new Gateways();
    expect(gateways.take({ k: "hello", version: "1", gateways: [{ topic: "wavewrap", broker: "pi.local" }, { topic: "gym", broker: "pi.local" }], check_before_start: true, login: false }, 0)).toBe(true);
    for (const g of [0, 1]) {
      talk(gateways, g, { k: "all", bridge: { state: { state: "online" } }, events: [], wraps: {} });
      talk(gateways, g, { k: "wrap", w: "left-leg", part: "state", v: state() });
      talk(gateways, g, samples(0, g === 0 ? 1 : 30));
    }
    gateways.take({ k: "broker", down: null }, 0);
    return gateways;
  };

  it("keep apart what has the same name", () => {
    const gateways = two();
    expect(gateways.models.map((model) => model.sorted()[0]!.ring.latest())).toEqual([[1, 1], [30, 30]]);
    expect(gateways.models.map((model) => model.key)).toEqual(["", "g1-"]);
    expect(gateways.take({ k: "hello", version: "1", gateways: [{ topic: "wavewrap", broker: "pi.local" }, { topic: "gym", broker: "pi.local" }], check_before_start: true, login: false }, 1)).toBe(false);
  });

  it("are vented only together, and one that its broker calls offline is not waited for", () => {
    const gateways = two();
    expect(gateways.vented(100, 0)).toBe(false);
    talk(gateways, 1, samples(1, 1), 100);
    expect(gateways.vented(200, 0)).toBe(true);
    expect(places(gateways.outcome([true, null]))).toEqual([[0], [], [1]]);
    expect(places(gateways.outcome([true, false]))).toEqual([[0], [1], []]);
    talk(gateways, 1, { k: "bridge", part: "state", v: { state: "offline" } });
    expect(places(gateways.outcome([true, null]))).toEqual([[0], [], []]);
    expect(places(gateways.outcome([false, null]))).toEqual([[], [0], [1]]);
    expect(places(gateways.outcome([true, true]))).toEqual([[0, 1], [], []]);
  });

  it("name their alarms", () => {
    const gateways = two();
    talk(gateways, 1, { k: "wrap", w: "left-leg", part: "state", v: state({ fault: "leak" }) });
    const alarms = findAllAlarms(gateways.models, words, 100);
    expect(alarms.map((one) => [one.id, one.gateway])).toEqual([["g1-left-leg-fault", 1]]);
    expect(alarms[0]!.title).toContain("gym");
  });
});

describe("gateways on several brokers", () => {
  const hello = (...gateways: [topic: string, broker: string][]): Json => ({ k: "hello", version: "1", gateways: gateways.map(([topic, broker]) => ({ topic, broker })), check_before_start: true, login: false });
  const three = (): Gateways => {
    const gateways = new Gateways();
    gateways.take(hello(["wavewrap", "attic.lan"], ["wavewrap", "gym.lan"], ["pool", "gym.lan"]), 0);
    for (const g of [0, 1, 2]) {
      gateways.take({ g, k: "broker", down: null }, 0);
      gateways.take({ g, k: "all", bridge: { state: { state: "online" } }, events: [], wraps: {} }, 0);
      gateways.take({ g, k: "wrap", w: "left-leg", part: "state", v: state() }, 0);
      gateways.take({ g, ...samples(0, 1) }, 0);
    }
    return gateways;
  };
  const lose = (gateways: Gateways): void => [1, 2].forEach((g) => gateways.take({ g, k: "broker", down: "gone" }, 10));
  const titles = (gateways: Gateways): string[] => gateways.models.map((model) => model.title);
  const call = (gateways: Gateways, g: number, gateway: string): boolean => gateways.take({ g, k: "bridge", part: "info", v: { gateway } }, 0);

  it("are named with their broker only where nothing else tells them apart", () => {
    const gateways = three();
    expect(titles(gateways)).toEqual(["wavewrap @ attic.lan", "wavewrap @ gym.lan", "pool"]);
    call(gateways, 0, "pi");
    expect(titles(gateways)).toEqual(["pi", "wavewrap @ gym.lan", "pool"]);
    call(gateways, 1, "pi");
    expect(titles(gateways)).toEqual(["pi (wavewrap @ attic.lan)", "pi (wavewrap @ gym.lan)", "pool"]);
    call(gateways, 1, "pool");
    expect(titles(gateways)).toEqual(["pi", "pool (wavewrap @ gym.lan)", "pool"]);
    expect(gateways.take(hello(["wavewrap", "attic.lan"], ["wavewrap", "gym.lan"], ["pool", "elsewhere.lan"]), 1)).toBe(true);
  });

  it("are away with their broker, which is one alarm, while the others go on", () => {
    const gateways = three();
    lose(gateways);
    expect(gateways.models.map((model) => model.gatewayOnline)).toEqual([true, false, false]);
    const [alarm, ...others] = findAllAlarms(gateways.models, words, 100);
    expect([alarm?.id, alarm?.level, others.length]).toEqual(["g1-broker", "critical", 0]);
    expect(alarm?.title).toContain("wavewrap @ gym.lan, pool: ");
    expect(alarm?.what).toContain("gym.lan is back (gone)");
    gateways.take({ g: 0, k: "wrap", w: "left-leg", part: "state", v: state({ fault: "leak" }) }, 20);
    expect(findAllAlarms(gateways.models, words, 100).map((one) => one.id).sort()).toEqual(["g1-broker", "left-leg-fault"]);
  });

  it("are not vented while one cannot be heard, whatever it said last", () => {
    const gateways = three();
    const [first, second, third] = gateways.models as [Model, Model, Model];
    expect(gateways.vented(100, 0)).toBe(true);
    lose(gateways);
    expect([gateways.vented(100, 0), gateways.vented(100, 0, [first])]).toEqual([null, true]);
    // Nor when no wrap of it was in use: one may be by now.
    gateways.take({ g: 1, k: "gone", w: "left-leg" }, 20);
    expect(gateways.vented(100, 0, [second])).toBeNull();
    // What came after STOP proves it still.
    gateways.take({ g: 2, k: "wrap", w: "left-leg", part: "session", v: { program: "x", ended: "stopped", reason: "", vented: true, wraps: [] } }, 50);
    expect([gateways.vented(100, 40, [third]), gateways.vented(100, 60, [third])]).toEqual([true, null]);
  });

  it("of one that was not told to stop a low pressure is no proof while it plays", () => {
    const gateways = three();
    const [first] = gateways.models as [Model];
    gateways.take({ g: 0, k: "wrap", w: "left-leg", part: "state", v: state({ session: session("running") }) }, 0);
    expect([gateways.vented(100, 0, [first]), gateways.vented(100, 0, [first], false)]).toEqual([true, false]);
  });

  it("miss a STOP when their broker is away, and are never taken for stopped", () => {
    const gateways = three();
    lose(gateways);
    const stop = new Stop();
    stop.press(100);
    stop.answer(gateways.outcome([null, false, false]), 110);
    expect(stop.step).toBe("asked");
    stop.answer(gateways.outcome([true, false, false]), 120);
    expect([stop.step, listTitles(stop.missed), listTitles(stop.reached)]).toEqual(["acknowledged", "wavewrap @ gym.lan, pool", "wavewrap @ attic.lan"]);
    stop.tick(600, true, null);
    expect([stop.step, stop.missed.length]).toEqual(["vented", 2]);
    stop.tick(60_000, true, null);
    expect([stop.step, stop.missed.length]).toEqual(["idle", 2]); // said until it is known or pressed again
    stop.tick(61_000, true, false);
    expect(stop.missed.length).toBe(2);
    stop.tick(62_000, true, true);
    expect(stop.missed).toEqual([]);
  });

  it("that answer late are told to stop late, and have to vent still", () => {
    const gateways = three();
    const stop = new Stop();
    stop.press(0);
    stop.answer(gateways.outcome([true, null, true]), ANSWER_MS - 1);
    expect(stop.step).toBe("asked");
    stop.answer(gateways.outcome([true, null, true]), ANSWER_MS + 1);
    expect([stop.step, stop.missed.map((model) => model.index)]).toEqual(["acknowledged", [1]]);
    stop.tick(2 * ANSWER_MS, true, null);
    expect(stop.step).toBe("vented");
    stop.answer(gateways.outcome([true, true, true]), 2 * ANSWER_MS + 1);
    expect([stop.step, stop.missed.length, stop.reached.length]).toEqual(["acknowledged", 0, 3]);
    stop.press(9_000);
    stop.answer(gateways.outcome([false, false, false]), 9_010);
    expect([stop.step, stop.missed.length]).toEqual(["failed", 0]);
  });
});
