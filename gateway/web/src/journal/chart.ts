/** Soreness over time as a drawing: ratings as a line with points, sessions and runs as marks of other shapes below it, so that no colour is needed. */

import { h, s } from "../dom";
import type { Journal } from "./entries";
import { placeMarks, type Frame } from "./trend";
import type { JournalWords } from "./words";

const SPANS_DAYS = [14, 30, 90] as const;
const HEIGHT_PX = 240;

export class TrendChart {
  readonly element: HTMLElement;
  private readonly place = h("div", { class: "trend" });
  private readonly pills: HTMLButtonElement[];
  private days: number = 30;
  private journal: Journal | null = null;

  constructor(private readonly words: JournalWords) {
    const say = words.say.bind(words);
    this.pills = SPANS_DAYS.map((n) => h("button", { type: "button", class: "pill", click: () => this.setDays(n) }, say("trend_days", { n })));
    const key = h(
      "div",
      { class: "trend-key", "aria-hidden": "true" },
      ...(["rating", "session", "run"] as const).map((kind) => h("span", {}, shape(kind), say(`trend_key_${kind}`))),
    );
    this.element = h(
      "div",
      {},
      h("header", { class: "bar" }, h("h3", { id: "trend-title" }, say("trend_title")), h("div", { class: "pills", role: "group", "aria-label": say("trend_span") }, ...this.pills)),
      this.place,
      key,
    );
    new ResizeObserver(() => this.draw()).observe(this.place);
    this.markPills();
  }

  show(journal: Journal): void {
    this.journal = journal;
    this.draw();
  }

  private setDays(days: number): void {
    this.days = days;
    this.markPills();
    this.draw();
  }

  private markPills(): void {
    this.pills.forEach((pill, i) => pill.setAttribute("aria-pressed", String(SPANS_DAYS[i] === this.days)));
  }

  private draw(): void {
    const { journal, words, days } = this;
    const width = this.place.clientWidth;
    if (journal === null || width === 0) return;
    const to_s = journal.now_unix_s;
    const frame: Frame = { width, height: HEIGHT_PX, left: 26, right: 12, top: 12, bottom: 62 };
    const marks = placeMarks(journal, to_s - days * 86_400, to_s, frame);
    const last = marks.ratings[marks.ratings.length - 1];
    if (last === undefined) {
      this.place.replaceChildren(h("p", { class: "muted" }, words.say("trend_empty", { days })));
      return;
    }
    const floor = frame.height - frame.bottom;
    const lines = [0, 2, 4, 6, 8, 10].map((n) => {
      const y = floor - ((floor - frame.top) * n) / 10;
      return s("g", {}, s("line", { class: "grid", x1: frame.left, x2: width - frame.right, y1: y, y2: y }), s("text", { class: "tick", x: frame.left - 8, y: y + 4, "text-anchor": "end" }, String(n)));
    });
    const dates = marks.days.map(({ x, unix_s }) =>
      s("text", { class: "tick", x: Math.min(x, width - 24), y: frame.height - 4, "text-anchor": "middle" }, new Date(unix_s * 1000).toLocaleDateString(words.language, { day: "numeric", month: "short" })),
    );
    const path = marks.ratings.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    const dots = marks.ratings.map(({ x, y, unix_s, soreness }) =>
      s("circle", { class: "rating-dot", cx: x, cy: y, r: 4.5 }, s("title", {}, words.say("trend_rating", { at: words.when(unix_s), n: soreness }))),
    );
    const below = floor + 16;
    const sessions = marks.sessions.map(({ x }) => s("rect", { class: "session-mark", x: x - 4, y: below - 4, width: 8, height: 8, rx: 1.5 }));
    const runs = marks.runs.map(({ x }) => s("path", { class: "run-mark", d: `M${x - 5} ${below + 20}L${x} ${below + 10}L${x + 5} ${below + 20}Z` }));
    const label = words.say("trend_label", { days, n: marks.ratings.length, last: last.soreness });
    this.place.replaceChildren(
      s("svg", { role: "img", "aria-label": label, viewBox: `0 0 ${width} ${HEIGHT_PX}`, height: HEIGHT_PX }, ...lines, ...dates, s("path", { class: "trend-line", d: path }), ...dots, ...sessions, ...runs),
    );
  }
}

function shape(kind: "rating" | "session" | "run"): SVGElement {
  const drawn = {
    rating: s("circle", { class: "rating-dot", cx: 7, cy: 7, r: 4.5 }),
    session: s("rect", { class: "session-mark", x: 3, y: 3, width: 8, height: 8, rx: 1.5 }),
    run: s("path", { class: "run-mark", d: "M2 12L7 2L12 12Z" }),
  };
  return s("svg", { viewBox: "0 0 14 14", width: 14, height: 14 }, drawn[kind]);
}
