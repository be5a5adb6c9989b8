/** What a program would do, before it is started: one cycle at full pressure as the gateway plays it, and how high it may go. */

import { spread } from "./chart";
import { h, s } from "./dom";
import type { Words } from "./text";

export interface Preview {
  cycle_s: number;
  soft_pct: number[];
  peaks_mmhg: number[];
  ceiling_mmhg: number;
  left: [number, number][][];
  right: [number, number][][];
}

const WIDTH = 480;
const HEIGHT = 150;
const LEFT = 34;
const RIGHT = 14;
const TOP = 18;
const BOTTOM = 24;
const LABEL_APART = 12;

/** Steps of an axis: a round number of units apart, at most `most` of them. */
export function ticks(top: number, most: number): number[] {
  const step = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600].find((one) => top / one <= most) ?? top;
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, i) => i * step);
}

/** Where the highest pressure of a curve ends: its number stands there. */
function endOfPeak(corners: [number, number][]): [number, number] {
  return corners.reduce((best, corner) => (corner[1] >= best[1] ? corner : best), [0, 0] as [number, number]);
}

/** Labels that would stand on each other, one above the other. */
function placeLabels(points: [number, number][]): [number, number][] {
  const near = new Map<number, number[]>();
  points.forEach(([x], i) => {
    const key = [...near.keys()].find((other) => Math.abs(other - x) < LABEL_APART) ?? x;
    near.set(key, [...(near.get(key) ?? []), i]);
  });
  const placed = points.map((point) => [...point] as [number, number]);
  for (const group of near.values()) spread(group.map((i) => (points[i] as [number, number])[1]), LABEL_APART).forEach((y, at) => ((placed[group[at] as number] as [number, number])[1] = y));
  return placed;
}

function drawSide(preview: Preview, side: "left" | "right", words: Words, title: string): SVGSVGElement {
  const top = preview.ceiling_mmhg * 1.04;
  const x = (t_s: number): number => LEFT + (t_s / preview.cycle_s) * (WIDTH - LEFT - RIGHT);
  const y = (mmhg: number): number => HEIGHT - BOTTOM - (mmhg / top) * (HEIGHT - TOP - BOTTOM);
  const at = (value: number): string => value.toFixed(1);
  const lines: SVGElement[] = [];
  for (const mmhg of ticks(top, 4))
    lines.push(
      s("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: at(y(mmhg)), y2: at(y(mmhg)) }),
      Object.assign(s("text", { class: "tick-y", x: LEFT - 6, y: at(y(mmhg)), "text-anchor": "end", "dominant-baseline": "central" }), { textContent: String(mmhg) }),
    );
  for (const t_s of ticks(preview.cycle_s, 6))
    lines.push(Object.assign(s("text", { class: "tick-x", x: at(x(t_s)), y: HEIGHT - 6, "text-anchor": "middle" }), { textContent: `${t_s} s` }));
  lines.push(
    s("line", { class: "ceiling", x1: LEFT, x2: WIDTH - RIGHT, y1: at(y(preview.ceiling_mmhg)), y2: at(y(preview.ceiling_mmhg)) }),
    Object.assign(s("text", { class: "ceiling-text", x: WIDTH - RIGHT, y: at(y(preview.ceiling_mmhg) - 5), "text-anchor": "end" }), { textContent: words.say("preview_ceiling") }),
  );
  const ends = preview[side].map(endOfPeak);
  const places = placeLabels(ends.map(([t_s, mmhg]) => [x(t_s), y(mmhg)]));
  preview[side].forEach((corners, i) => {
    const path = corners.map(([t_s, mmhg]) => `${at(x(t_s))},${at(y(mmhg))}`).join("L");
    const curve = s("g", { class: `curve c${i + 1}` }, s("path", { d: `M${path}` }));
    const [label_x, label_y] = places[i] as [number, number];
    if ((ends[i] as [number, number])[1] > 0)
      curve.append(Object.assign(s("text", { x: at(label_x + 6), y: at(label_y), "dominant-baseline": "central" }), { textContent: String(i + 1) }));
    lines.push(curve);
  });
  const label = words.say("preview_label", { s: Math.round(preview.cycle_s), peaks: preview.peaks_mmhg.map((mmhg) => Math.round(mmhg)).join(", ") });
  return s("svg", { class: "preview", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title === "" ? label : `${title}. ${label}` }, ...lines);
}

/** The curve, or one for each leg where they differ, and its limits in words. */
export function showPreview(preview: Preview, words: Words): HTMLElement {
  const alike = JSON.stringify(preview.left) === JSON.stringify(preview.right);
  const figures = alike
    ? [drawSide(preview, "left", words, "")]
    : (["left", "right"] as const).flatMap((side) => [h("h4", {}, words.say(side)), drawSide(preview, side, words, words.say(side))]);
  const used = preview.peaks_mmhg.map((mmhg) => (mmhg > 0 ? String(Math.round(mmhg)) : "–"));
  const facts = [
    words.say("preview_cycle", { s: Math.round(preview.cycle_s) }),
    words.say("preview_peaks", { peaks: used.join(" / ") }),
    ...(preview.soft_pct.length > 0 ? [words.say("preview_soft", { pct: preview.soft_pct.map((pct) => `${Math.round(pct)} %`).join(", ") })] : []),
    words.say("preview_limit", { mmhg: Math.round(preview.ceiling_mmhg) }),
  ];
  return h("div", { class: "preview-place" }, ...figures, h("ul", { class: "limits muted" }, ...facts.map((fact) => h("li", {}, fact))));
}
