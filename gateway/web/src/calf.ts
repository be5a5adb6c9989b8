/** A calf seen from behind, in its wrap: each chamber fills and puffs up by its measured pressure. */

import { s, setAttribute, setText } from "./dom";
import type { Words } from "./text";

/** A chamber at this pressure is drawn full: the highest that a wrap allows unless it was set to more. */
export const FULL_MMHG = 80;
const CENTRE = 110;
const TOP = 34;
const BOTTOM = 268;
const GAP = 5;
const PUFF = 13;

/** Half the width of the leg at a height of the drawing, from the knee down to the ankle. */
const SHAPE: [number, number][] = [
  [0, 50], [30, 53], [70, 64], [110, 70], [150, 64], [190, 50], [230, 38], [265, 31], [290, 30], [312, 34],
];

export function halfWidth(y: number): number {
  const after = SHAPE.findIndex(([at]) => at >= y);
  const b = SHAPE[after < 0 ? SHAPE.length - 1 : after] as [number, number];
  const a = SHAPE[Math.max(0, (after < 0 ? SHAPE.length : after) - 1)] as [number, number];
  if (a[0] === b[0]) return b[1];
  const t = (y - a[0]) / (b[0] - a[0]);
  // Smooth between the points, so that the leg has no corners.
  return a[1] + (b[1] - a[1]) * (t * t * (3 - 2 * t));
}

function legPath(): string {
  const ys = Array.from({ length: 40 }, (_, i) => (i * 312) / 39);
  const right = ys.map((y) => `${(CENTRE + halfWidth(y)).toFixed(1)},${y.toFixed(1)}`);
  const left = ys.reverse().map((y) => `${(CENTRE - halfWidth(y)).toFixed(1)},${y.toFixed(1)}`);
  return `M${right.join("L")}L${CENTRE + 30},326Q${CENTRE},340 ${CENTRE - 30},326L${left.join("L")}Z`;
}

/** The outline of a chamber between two heights, puffed up by 0 to 1. */
export function chamberPath(y0: number, y1: number, puff: number): string {
  const w0 = halfWidth(y0) + 7;
  const w1 = halfWidth(y1) + 7;
  const wm = halfWidth((y0 + y1) / 2) + 7 + PUFF * puff;
  // The control point that takes a quadratic curve through the middle.
  const q = 2 * wm - (w0 + w1) / 2;
  const ym = (y0 + y1) / 2;
  const f = (value: number): string => value.toFixed(1);
  return `M${f(CENTRE - w0)},${f(y0)}L${f(CENTRE + w0)},${f(y0)}Q${f(CENTRE + q)},${f(ym)} ${f(CENTRE + w1)},${f(y1)}L${f(CENTRE - w1)},${f(y1)}Q${f(CENTRE - q)},${f(ym)} ${f(CENTRE - w0)},${f(y0)}Z`;
}

export class Calf {
  readonly element: SVGSVGElement;
  private readonly parts: { shell: SVGPathElement; clip: SVGPathElement; level: SVGRectElement; text: SVGTextElement; y0: number; y1: number }[] = [];

  constructor(chambers: number, idPrefix: string) {
    const height = (BOTTOM - TOP - GAP * (chambers - 1)) / chambers;
    const bands: SVGElement[] = [];
    const defs = s("defs");
    for (let chamber = 0; chamber < chambers; chamber++) {
      // Chamber 1 is the ankle's.
      const y1 = BOTTOM - chamber * (height + GAP);
      const y0 = y1 - height;
      const id = `${idPrefix}-c${chamber}`;
      const clip = s("path");
      defs.append(s("clipPath", { id }, clip));
      const shell = s("path", { class: "shell" });
      const level = s("rect", { class: "level", x: 0, width: 2 * CENTRE, "clip-path": `url(#${id})` });
      const text = s("text", { x: CENTRE, y: (y0 + y1) / 2, class: "number", "text-anchor": "middle", "dominant-baseline": "central" });
      bands.push(s("g", { class: `chamber c${chamber + 1}`, "data-chamber": chamber + 1 }, shell, level, s("path", { class: "rim" }), text));
      this.parts.push({ shell, clip, level, text, y0, y1 });
    }
    this.element = s("svg", { class: "calf", viewBox: "14 -6 192 350", role: "img" }, defs, s("path", { class: "leg", d: legPath() }), ...bands);
    this.draw([], true);
  }

  /** Draw the pressures. Without live ones nothing is filled. */
  draw(pressures: number[], stale: boolean): void {
    this.parts.forEach((part, chamber) => {
      const mmhg = pressures[chamber];
      const known = mmhg !== undefined && !Number.isNaN(mmhg);
      const share = known ? Math.min(1, Math.max(0, mmhg / FULL_MMHG)) : 0;
      const path = chamberPath(part.y0, part.y1, share);
      setAttribute(part.shell, "d", path);
      setAttribute(part.clip, "d", path);
      setAttribute(part.level.nextElementSibling as Element, "d", path);
      const height = (part.y1 - part.y0) * share;
      setAttribute(part.level, "y", (part.y1 - height).toFixed(1));
      setAttribute(part.level, "height", height.toFixed(1));
      setText(part.text, known ? String(Math.max(0, Math.round(mmhg))) : "–");
    });
    this.element.classList.toggle("stale", stale);
  }

  /** What a screen reader says. */
  describe(pressures: number[], stale: boolean, side: string, words: Words): void {
    const numbers = stale
      ? words.say("calf_unknown")
      : pressures.map((mmhg, i) => words.say("calf_chamber", { n: i + 1, mmhg: Math.max(0, Math.round(mmhg)) })).join(" ");
    setAttribute(this.element, "aria-label", words.say("calf_label", { side, numbers }));
  }
}
