/** What the history's charts have in common: axes, colours of the page, the shared cursor, drag to look closer. */

import uPlot from "uplot";
import { css } from "../chart";
import { clock, fineClock } from "./format";
import type { Span } from "./span";

const FONT = "12px system-ui, sans-serif";

export interface Look {
  height: number;
  /** charts of one name share their cursor */
  group: string;
  series: uPlot.Series[];
  hooks?: uPlot.Hooks.Arrays;
  y: (min: number, max: number) => [number, number];
  onZoom?: (span: Span) => void;
}

export interface Mark {
  at_s: number;
  number: number;
}

/** A chart of seconds of the session. `span` is what it shows. */
export function sessionPlot(place: HTMLElement, data: uPlot.AlignedData, span: Span, look: Look): uPlot {
  const text = css("--muted");
  const grid = { stroke: css("--line"), width: 1 };
  return new uPlot(
    {
      width: Math.max(100, place.clientWidth),
      height: look.height,
      padding: [16, 12, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: look.group, scales: ["x", null] },
        drag: { x: look.onZoom !== undefined, y: false, setScale: false },
        points: { show: false },
        y: false,
      },
      scales: { x: { time: false, min: span.from_s, max: span.to_s }, y: { range: (_u, min, max) => look.y(min ?? 0, max ?? 0) } },
      axes: [
        {
          stroke: text,
          font: FONT,
          size: 26,
          gap: 4,
          grid,
          ticks: { show: false },
          values: (_u, splits) => splits.map((at) => ((splits[1] ?? 1) - (splits[0] ?? 0) < 1 ? fineClock(at) : clock(at))),
          incrs: [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800],
        },
        { stroke: text, font: FONT, size: 44, grid, ticks: { show: false } },
      ],
      series: look.series,
      hooks: {
        ...look.hooks,
        setSelect: [
          (u) => {
            if (u.select.width < 4 || look.onZoom === undefined) return;
            const zoomed = { from_s: u.posToVal(u.select.left, "x"), to_s: u.posToVal(u.select.left + u.select.width, "x") };
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            look.onZoom(zoomed);
          },
        ],
      },
    },
    data,
    place,
  );
}

/** Keeps a chart as wide as its place. */
export function follow(place: HTMLElement, read: () => uPlot | null, height: number): ResizeObserver {
  const watch = new ResizeObserver(() => {
    const plot = read();
    if (plot !== null && place.clientWidth > 0 && plot.width !== place.clientWidth) plot.setSize({ width: place.clientWidth, height });
  });
  watch.observe(place);
  return watch;
}

/** Grey bands behind the lines. */
export function shade(u: uPlot, spans: { from_s: number; to_s: number }[]): void {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.fillStyle = css("--rim");
  ctx.globalAlpha = 0.35;
  for (const span of spans) {
    const [left, right] = [u.valToPos(span.from_s, "x", true), u.valToPos(span.to_s, "x", true)];
    const [from, to] = [Math.max(left, bbox.left), Math.min(right, bbox.left + bbox.width)];
    if (to > from) ctx.fillRect(from, bbox.top, Math.max(2, to - from), bbox.height);
  }
  ctx.restore();
}

/** Dotted lines with the number that the event has in its list; numbers that would cover each other are left out, their lines not. */
export function drawMarks(u: uPlot, marks: Mark[]): void {
  const { ctx, bbox } = u;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = css("--muted");
  ctx.fillStyle = css("--text");
  ctx.font = `600 ${10 * scale}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  ctx.setLineDash([2 * scale, 3 * scale]);
  ctx.lineWidth = scale;
  let free = -Infinity;
  for (const { at_s, number } of marks) {
    const x = Math.round(u.valToPos(at_s, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (x < free) continue;
    ctx.fillText(String(number), x, bbox.top - 1 * scale);
    free = x + 16 * scale;
  }
  ctx.restore();
}

/** The number of a line, as the badge that it has beside its figures, on the line itself. */
export function drawLabel(u: uPlot, text: string, x: number, y: number, colour: string): void {
  const { ctx } = u;
  const scale = devicePixelRatio;
  const half = 7 * scale;
  ctx.save();
  ctx.font = `700 ${10 * scale}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = colour;
  ctx.strokeStyle = css("--card");
  ctx.lineWidth = 2 * scale;
  ctx.beginPath();
  ctx.roundRect(x - half, y - half, 2 * half, 2 * half, 4 * scale);
  ctx.stroke();
  ctx.fill();
  ctx.fillStyle = css("--card");
  ctx.fillText(text, x, y + 0.5 * scale);
  ctx.restore();
}

export function colourOf(chamber: number): string {
  return css(`--c${((chamber - 1) % 8) + 1}`);
}
