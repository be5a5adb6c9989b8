/** Pressure over time: measured and target of each chamber, on uPlot, with the chamber's number at the end of its line. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { targetAt, type Wrap } from "./model";
import { clockText } from "./progress";

export type Span = "recent" | "session";

export const RECENT_S = 20;
const HEIGHT_PX = 190;
const LABEL_PX = 12;

export function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Move labels apart so that none covers another; the order stays. */
export function spread(ys: number[], apart: number): number[] {
  const order = ys.map((_, i) => i).sort((a, b) => (ys[a] ?? 0) - (ys[b] ?? 0));
  const placed = [...ys];
  for (let i = 1; i < order.length; i++) {
    const above = placed[order[i - 1] as number] as number;
    const here = order[i] as number;
    if ((placed[here] as number) - above < apart) placed[here] = above + apart;
  }
  // None goes below the lowest: what was pushed there comes back up.
  const lowest = Math.max(...ys);
  let limit = lowest;
  for (let i = order.length - 1; i >= 0; i--) {
    const here = order[i] as number;
    placed[here] = Math.min(placed[here] as number, limit);
    limit = (placed[here] as number) - apart;
  }
  return placed;
}


/** The targets at `xs`, seconds before `edge_s`: only beside their corners, for a straight line needs no more; `undefined` is drawn over, null not. */
export function targetColumn(xs: number[], corners: number[][], chamber: number, edge_s: number): (number | null | undefined)[] {
  const column: (number | null | undefined)[] = new Array(xs.length).fill(undefined);
  const put = (i: number): void => {
    if (i >= 0 && i < xs.length) column[i] = targetAt(corners, (xs[i] as number) + edge_s, chamber);
  };
  let at = 0;
  for (const corner of corners) {
    const x = (corner[0] as number) - edge_s;
    while (at < xs.length && (xs[at] as number) < x) at++;
    put(at - 1);
    put(at);
  }
  put(0);
  put(xs.length - 1);
  return column;
}

export class Chart {
  readonly element = document.createElement("div");
  private plot: uPlot | null = null;
  private span: Span = "recent";
  private hot: number | null = null;
  /** as the observer says: to ask the element in every frame would lay the whole page out in the middle of it */
  private width_px = 0;

  constructor(private readonly chambers: number) {
    this.element.className = "chart";
    new ResizeObserver((sizes) => {
      this.width_px = Math.round(sizes[sizes.length - 1]?.contentRect.width ?? 0);
      if (this.plot !== null && this.width_px > 0) this.plot.setSize({ width: this.width_px, height: HEIGHT_PX });
    }).observe(this.element);
  }

  /** Colours are read anew. */
  restyle(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  setSpan(span: Span): void {
    this.span = span;
    this.restyle();
  }

  highlight(chamber: number | null): void {
    this.hot = chamber;
    this.restyle();
  }

  draw(wrap: Wrap, now_ms: number): void {
    if (this.width_px === 0) return;
    const data = this.span === "recent" ? this.recent(wrap, now_ms) : this.whole(wrap, now_ms);
    if (this.plot === null) this.plot = this.build(data);
    else {
      this.plot.batch(() => {
        this.plot?.setData(data, false);
        this.plot?.setScale("x", this.range(data));
      });
    }
  }

  private range(data: uPlot.AlignedData): { min: number; max: number } {
    if (this.span === "recent") return { min: -RECENT_S, max: 0 };
    const xs = data[0];
    return { min: 0, max: Math.max(30, xs[xs.length - 1] ?? 0) };
  }

  private recent(wrap: Wrap, now_ms: number): uPlot.AlignedData {
    const edge_s = wrap.edge_s(now_ms);
    const [xs, ...rows] = wrap.ring.columns(edge_s, RECENT_S);
    const targets = rows.map((_, chamber) => targetColumn(xs, wrap.targets, chamber, edge_s));
    return [xs, ...rows, ...targets];
  }

  private whole(wrap: Wrap, now_ms: number): uPlot.AlignedData {
    const { overview } = wrap;
    const elapsed_s = wrap.state?.session?.elapsed_s ?? 0;
    const stateAge_s = wrap.stateHeard_ms === null ? 0 : (now_ms - wrap.stateHeard_ms) / 1000;
    const first_s = overview.begin_s ?? 0;
    const start_s = wrap.plays ? (overview.newest_s ?? 0) - elapsed_s - stateAge_s : first_s;
    return overview.columns(Math.min(start_s, first_s), 2 * this.chambers);
  }

  private build(data: uPlot.AlignedData): uPlot {
    const text = css("--muted");
    const grid = css("--line");
    const colours = Array.from({ length: this.chambers }, (_, i) => css(`--c${i + 1}`));
    const width = (chamber: number): number => (this.hot === null ? 2 : this.hot === chamber + 1 ? 3.5 : 1);
    const font = "12px system-ui, sans-serif";
    const plot = new uPlot(
      {
        width: this.width_px,
        height: HEIGHT_PX,
        padding: [8, 22, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, ...this.range(data) }, y: { range: (_u, _min, max) => [0, Math.max(60, Math.ceil((max + 4) / 20) * 20)] } },
        axes: [
          {
            stroke: text,
            font,
            size: 26,
            gap: 4,
            grid: { stroke: grid, width: 1 },
            ticks: { show: false },
            values: (_u, splits) => splits.map((at) => (this.span === "recent" ? `${at} s` : clockText(at))),
          },
          { stroke: text, font, size: 34, grid: { stroke: grid, width: 1 }, ticks: { show: false } },
        ],
        series: [
          {},
          ...colours.map((stroke, i) => ({ stroke, width: width(i), spanGaps: false, points: { show: false } })),
          ...colours.map((stroke, i) => ({ stroke, width: this.hot === i + 1 ? 2 : 1, dash: [4, 4], alpha: 0.75, points: { show: false } })),
        ],
        hooks: { draw: [(u) => this.label(u, colours)] },
      },
      data,
      this.element,
    );
    return plot;
  }

  private label(u: uPlot, colours: string[]): void {
    const scale = devicePixelRatio;
    const ends = colours.map((_, i) => {
      const column = u.data[i + 1] ?? [];
      for (let at = column.length - 1; at >= 0; at--) if (typeof column[at] === "number") return u.valToPos(column[at] as number, "y", true);
      return NaN;
    });
    if (ends.some(Number.isNaN)) return;
    const context = u.ctx;
    context.save();
    context.font = `700 ${LABEL_PX * scale}px system-ui, sans-serif`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    spread(ends, (LABEL_PX - 1) * scale).forEach((y, i) => {
      context.fillStyle = colours[i] as string;
      context.fillText(String(i + 1), u.bbox.left + u.bbox.width + 6 * scale, y);
    });
    context.restore();
  }
}
