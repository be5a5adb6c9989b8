/** The pressure traces of a session: a chart a wrap, one span and one cursor for all of them, and more detail when looked at closer. */

import type uPlot from "uplot";
import { h, setText } from "../dom";
import { ask, AskError, type Curve, type EventLine, type Session, type Traces, type WrapFigures, type WrapTraces } from "./ask";
import { fineClock, number } from "./format";
import { colourOf, drawLabel, drawMarks, follow, sessionPlot, shade, type Mark } from "./plot";
import { around, clamp, labelPlaces, type Span } from "./span";
import type { HistoryWords } from "./words";
import { ZoomBar } from "./zoombar";

const HEIGHT_PX = 240;
const STEPS_HEIGHT_PX = 150;
const EVENT_WIDTH_S = 30;
/** Of the charts' width in pixels: an answer has two values a point. */
const POINTS_MIN = 300;
const POINTS_MAX = 1600;

/** The highest pressure shown is never under this, so that a slack chamber does not look like a full one. */
const TOP_MMHG = 60;

class WrapChart {
  readonly place = h("div", { class: "chart", role: "img", tabindex: 0 });
  readonly element: HTMLElement;
  private plot: uPlot | null = null;
  private traces: WrapTraces | null = null;
  private readonly values: HTMLElement[];
  private readonly moment = h("span", { class: "moment" });
  private readonly watch: ResizeObserver;

  constructor(
    private readonly wrap: WrapFigures,
    private readonly words: HistoryWords,
    private readonly marks: Mark[],
    private readonly board: TraceBoard,
  ) {
    const side = words.shared(wrap.side);
    this.values = wrap.dose.map(() => h("span", { class: "value" }, "–"));
    this.place.setAttribute("aria-label", words.say("traces_label", { side, n: wrap.chambers }));
    this.place.addEventListener("keydown", (event) => this.onKey(event));
    this.place.addEventListener("dblclick", () => board.bar.showWhole());
    const keys = wrap.dose.map((dose, i) =>
      h(
        "button",
        { type: "button", class: `chamber-key c${dose.chamber}`, "aria-pressed": "true", "data-chamber": dose.chamber, click: () => board.toggle(dose.chamber) },
        h("span", { class: "swatch", "aria-hidden": "true" }, String(dose.chamber)),
        h("span", { class: "sr" }, words.say("chamber_n", { n: dose.chamber })),
        this.values[i] as HTMLElement,
      ),
    );
    this.element = h(
      "figure",
      { class: "trace" },
      h("figcaption", {}, h("strong", {}, side), h("small", {}, ` ${wrap.id}`), h("span", { class: "keys" }, ...keys), this.moment),
      wrap.kept === 0 ? h("p", { class: "muted" }, words.say("traces_none")) : this.place,
    );
    this.watch = follow(this.place, () => this.plot, HEIGHT_PX);
  }

  close(): void {
    this.watch.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  restyle(): void {
    this.plot?.destroy();
    this.plot = null;
    this.draw();
  }

  put(traces: WrapTraces): void {
    this.traces = traces;
    if (this.plot === null) this.draw();
    else this.plot.setData(this.data(traces), false);
    this.show();
  }

  /** What the board shows now. */
  show(): void {
    const { from_s, to_s } = this.board.span;
    this.plot?.setScale("x", { min: from_s, max: to_s });
  }

  setHidden(hidden: Set<number>): void {
    for (const key of this.element.querySelectorAll<HTMLElement>(".chamber-key")) key.setAttribute("aria-pressed", String(!hidden.has(Number(key.dataset.chamber))));
    this.restyle();
  }

  private data(traces: WrapTraces): uPlot.AlignedData {
    return [traces.at_s, ...traces.pressure_mmhg, ...traces.target_mmhg] as uPlot.AlignedData;
  }

  private draw(): void {
    const { traces, board } = this;
    if (traces === null || traces.at_s.length === 0 || this.place.clientWidth === 0) return;
    const colours = traces.pressure_mmhg.map((_, i) => colourOf(i + 1));
    const shown = (i: number): boolean => !board.hidden.has(i + 1);
    this.plot = sessionPlot(this.place, this.data(traces), board.span, {
      height: HEIGHT_PX,
      group: board.group,
      y: (_min, max) => [0, Math.max(TOP_MMHG, Math.ceil((max + 6) / 20) * 20)],
      onZoom: (span) => board.look(span),
      series: [
        {},
        ...colours.map((stroke, i) => ({ stroke, width: 1.6, show: shown(i), spanGaps: false, points: { show: false } })),
        ...colours.map((stroke, i) => ({ stroke, width: 1, dash: [4, 4], alpha: 0.7, show: shown(i), spanGaps: false, points: { show: false } })),
      ],
      hooks: {
        drawClear: [(u) => shade(u, this.wrap.missing_spans)],
        draw: [(u) => drawMarks(u, this.marks), (u) => this.label(u, colours)],
        setCursor: [(u) => this.read(u.cursor.idx ?? null)],
      },
    });
    for (const canvas of this.place.querySelectorAll("canvas")) canvas.setAttribute("aria-hidden", "true");
  }

  private label(u: uPlot, colours: string[]): void {
    const lines = u.data.slice(1, colours.length + 1) as Curve[];
    labelPlaces(u.data[0], lines, this.board.span).forEach((at, i) => {
      if (at === null || this.board.hidden.has(i + 1)) return;
      drawLabel(u, String(i + 1), u.valToPos(u.data[0][at] as number, "x", true), u.valToPos((lines[i] as Curve)[at] as number, "y", true), colours[i] as string);
    });
  }

  private read(at: number | null): void {
    const { traces, words } = this;
    const at_s = at === null ? undefined : traces?.at_s[at];
    setText(this.moment, at_s === undefined ? "" : fineClock(at_s));
    this.values.forEach((element, i) => {
      const mmhg = at === null ? null : (traces?.pressure_mmhg[i]?.[at] ?? null);
      const target = at === null ? null : (traces?.target_mmhg[i]?.[at] ?? null);
      setText(element, mmhg === null ? "–" : `${number(mmhg, 1, words.language)} / ${number(target, 0, words.language)}`);
    });
  }

  /** Arrows move the cursor and, with Shift, what is shown; plus and minus zoom: what the mouse does, for a keyboard. */
  private onKey(event: KeyboardEvent): void {
    const { bar } = this.board;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own zoom and ways back
    if (step !== undefined && event.shiftKey) bar.shift(step / 2);
    else if (step !== undefined && this.plot !== null) {
      const width = this.plot.over.clientWidth;
      const left = this.plot.cursor.left ?? -1;
      const at = left < 0 ? width / 2 : Math.min(width - 1, Math.max(0, left + (step * width) / 100));
      this.plot.setCursor({ left: at, top: 10 }, true);
    } else if (event.key === "+") bar.zoom(0.5);
    else if (event.key === "-") bar.zoom(2);
    else return;
    event.preventDefault();
  }
}

export class TraceBoard {
  readonly element: HTMLElement;
  readonly group: string;
  readonly hidden = new Set<number>();
  readonly stepsPlace = h("div", { class: "chart steps-chart", role: "img" });
  span: Span;
  private readonly whole: Span;
  private readonly charts: WrapChart[];
  readonly bar: ZoomBar;
  private readonly trouble = h("p", { role: "alert", class: "bad" });
  private asked = 0;
  private steps: uPlot | null = null;
  private readonly watch: ResizeObserver;

  constructor(
    private readonly session: Session,
    private readonly words: HistoryWords,
  ) {
    this.group = `session-${session.session}`;
    this.whole = { from_s: session.begin_s, to_s: Math.max(session.end_s, session.begin_s + 1) };
    this.span = this.whole;
    this.bar = new ZoomBar(words, (span) => this.look(span));
    const marks = marksOf(session.events);
    this.charts = session.wraps.map((wrap) => new WrapChart(wrap, words, marks, this));
    this.bar.show(this.span, this.whole);
    this.stepsPlace.setAttribute("aria-label", words.say("steps_label"));
    this.element = h(
      "section",
      { class: "card traces-card", "aria-labelledby": "traces-title" },
      h(
        "div",
        { class: "bar" },
        h("h3", { id: "traces-title" }, words.say("traces"), h("small", {}, ` ${words.shared("unit")}`)),
        h("span", { class: "key" }, h("i", { class: "solid" }), words.shared("measured"), h("i", { class: "dashed" }), words.shared("target")),
        this.bar.buttons,
      ),
      h("p", { class: "muted how" }, words.say("traces_how"), h("span", { class: "with-keys" }, ` ${words.say("traces_keys")}`)),
      this.trouble,
      this.bar.told,
      ...this.charts.map((chart) => chart.element),
    );
    this.watch = follow(this.stepsPlace, () => this.steps, STEPS_HEIGHT_PX);
  }

  /** Reads the curves of what is shown. Throws `AskError`. */
  async read(): Promise<void> {
    const number = ++this.asked;
    const points = Math.round(Math.min(POINTS_MAX, Math.max(POINTS_MIN, this.element.clientWidth || POINTS_MIN)));
    const answer: Traces = await ask("traces", { session: this.session.session, ...this.span, points });
    if (number !== this.asked) return;
    answer.wraps.forEach((traces, i) => this.charts[i]?.put(traces));
    const { words } = this;
    this.bar.tell(words.say(answer.wraps.some((wrap) => wrap.thinned) ? "traces_thinned" : "traces_plain"));
    this.drawSteps();
  }

  look(span: Span): void {
    this.span = clamp(span, this.whole);
    this.bar.show(this.span, this.whole);
    for (const chart of this.charts) chart.show();
    this.steps?.setScale("x", { min: this.span.from_s, max: this.span.to_s });
    this.read().then(
      () => setText(this.trouble, ""),
      (cause: unknown) => setText(this.trouble, cause instanceof AskError && cause.message !== "" ? cause.message : this.words.say("trouble_server")),
    );
  }

  showEvent(at_s: number): void {
    this.look(around(at_s, EVENT_WIDTH_S, this.whole));
    this.element.scrollIntoView({ block: "start" });
  }

  toggle(chamber: number): void {
    if (!this.hidden.delete(chamber)) this.hidden.add(chamber);
    for (const chart of this.charts) chart.setHidden(this.hidden);
  }

  restyle(): void {
    for (const chart of this.charts) chart.restyle();
    this.steps?.destroy();
    this.steps = null;
    this.drawSteps();
  }

  close(): void {
    for (const chart of this.charts) chart.close();
    this.watch.disconnect();
    this.steps?.destroy();
    this.steps = null;
  }

  /** A point a step and wrap: filled for the first wrap, a ring for the others. */
  private drawSteps(): void {
    const { wraps } = this.session;
    if (this.steps !== null || this.stepsPlace.clientWidth === 0 || wraps.every((wrap) => wrap.steps.length === 0)) return;
    const times = [...new Set(wraps.flatMap((wrap) => wrap.steps.map((step) => step.at_s)))].sort((a, b) => a - b);
    const rows = wraps.map((wrap) => {
      const byTime = new Map<number, number>();
      for (const step of wrap.steps) if (Math.abs(step.offset_ms) >= Math.abs(byTime.get(step.at_s) ?? 0)) byTime.set(step.at_s, step.offset_ms);
      return times.map((at_s) => byTime.get(at_s) ?? null);
    });
    this.steps = sessionPlot(this.stepsPlace, [times, ...rows], this.span, {
      height: STEPS_HEIGHT_PX,
      group: this.group,
      y: (min, max) => [Math.min(-1, Math.floor(min)), Math.max(1, Math.ceil(max))],
      onZoom: (span) => this.look(span),
      series: [{}, ...rows.map((_, i) => ({ stroke: colourOf(i === 0 ? 2 : 6), paths: () => null, points: { show: true, size: i === 0 ? 5 : 7, width: 1.4, fill: i === 0 ? colourOf(2) : "transparent" } }))],
    });
    for (const canvas of this.stepsPlace.querySelectorAll("canvas")) canvas.setAttribute("aria-hidden", "true");
  }
}

/** The events in the order of their list, where it is known when in the session they were. */
export function marksOf(events: EventLine[]): Mark[] {
  return events.flatMap((event, i) => (event.at_s === null ? [] : [{ at_s: event.at_s, number: i + 1 }]));
}
