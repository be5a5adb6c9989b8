import { describe, expect, it } from "vitest";
import { Ring, type Batch } from "../src/ring";

function batch(seq: number, values: number[], boot = 1, u: number | null = 100 + seq * 0.02): Batch {
  return { w: "left", h: false, o: boot, q: seq, d: 20, u, p: [values, values.map((value) => value + 100)] };
}

describe("the ring of pressures", () => {
  it("keeps samples in their place, whatever order they come in", () => {
    const ring = new Ring(60);
    ring.put(batch(0, [0, 1]));
    expect(ring.put(batch(4, [4, 5]))).toBe(true);
    expect(ring.gaps()).toEqual({ missing: 2, expected: 6 });
    expect(ring.put(batch(2, [2, 3]))).toBe(false);
    expect(ring.gaps().missing).toBe(0);
    const [xs, first, second] = ring.columns(100.1, 20);
    expect(xs.map((x) => Math.round(x * 100) / 100)).toEqual([-0.1, -0.08, -0.06, -0.04, -0.02, 0]);
    expect(first).toEqual([0, 1, 2, 3, 4, 5]);
    expect(second).toEqual([100, 101, 102, 103, 104, 105]);
  });

  it("draws a gap as a gap", () => {
    const ring = new Ring(60);
    ring.put(batch(0, [7]));
    ring.put(batch(2, [9]));
    expect(ring.columns(100.04, 20)[1]).toEqual([7, null, 9]);
    expect(ring.latest()).toEqual([9, 109]);
  });

  it("stays bounded, also over a jump in the sequence", () => {
    const ring = new Ring(1);
    for (let seq = 0; seq < 5000; seq++) ring.put(batch(seq, [seq % 50]));
    expect(ring.columns(100 + 4999 * 0.02, 60)[0].length).toBeLessThanOrEqual(150);
    ring.put(batch(2_000_000_000, [1]));
    expect(ring.gaps().expected).toBe(50);
    expect(ring.gaps().missing).toBe(49);
  });

  it("starts anew when the wrap has restarted", () => {
    const ring = new Ring(60);
    ring.put(batch(1000, [5]));
    ring.put(batch(0, [6], 2));
    expect(ring.newest).toBe(0);
    expect(ring.gaps()).toEqual({ missing: 0, expected: 1 });
  });

  it("shows samples without a time of their own beside their neighbours", () => {
    const ring = new Ring(60);
    ring.put(batch(0, [1]));
    ring.put(batch(1, [2], 1, null));
    expect(ring.columns(100.02, 20)[1]).toEqual([1, 2]);
  });

  it("takes nothing from an empty batch", () => {
    const ring = new Ring(60);
    expect(ring.put({ w: "left", h: false, o: 1, q: 0, d: 20, u: 1, p: [] })).toBe(false);
    expect(ring.latest()).toEqual([]);
  });
});
