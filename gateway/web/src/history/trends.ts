/** Figures of many sessions over time: only what was measured or noted, a hole where it was not. More charts are more rows of `CHARTS`. */

import uPlot from "uplot";
import { css } from "../chart";
import { h, s, setText } from "../dom";
import { ask, type Sessions, type TrendLine } from "./ask";
import { dateTime, number } from "./format";
import { colourOf, follow } from "./plot";
import { axisSteps, CHARTS, SHAPES, type TrendChart, type TrendSeries } from "./trendcharts";
import { choice, View } from "./view";

const HEIGHT_PX = 180;
/** Sessions an ask: each is measured anew from its samples, and the page shows how far it is. */
const STEP = 5;
/** Sessions at first, and more at each press. */
const BLOCK = 30;

export class TrendsView extends View {
  readonly title = this.words.say("title_trends");
  private readonly asked = new URLSearchParams(location.search);
  private readonly filters = h("form", { class: "card filters" });
  private readonly told = h("p", { class: "muted", role: "status" });
  private readonly charts = h("div", { class: "trend-charts" });
  private readonly more = h("button", { type: "button", hidden: true, click: () => void this.readMore() }, this.words.say("trends_more"));
  private readonly rows = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": this.words.say("trends_table") });
  private lines: TrendLine[] = [];
  private damaged: string[] = [];
  private offset = 0;
  private wanted = BLOCK;
  private run = 0;
  private plots: { plot: uPlot; watch: ResizeObserver }[] = [];

  override restyle(): void {
    this.draw();
  }

  override close(): void {
    super.close();
    this.clear();
  }

  protected override async read(): Promise<void> {
    if (!this.element.contains(this.told)) {
      this.element.append(this.filters, this.told, this.charts, this.more, h("details", { class: "card" }, h("summary", {}, this.words.say("trends_table")), this.rows));
      this.filters.addEventListener("submit", (event) => event.preventDefault());
    }
    const known = await ask("sessions", { limit: 1 });
    if (this.closed) return;
    this.fillFilters(known);
    await this.collect();
  }

  private filter(): Record<string, string | null> {
    return { program: this.asked.get("program") || null, wrap: this.asked.get("wrap") || null };
  }

  private fillFilters(known: Sessions): void {
    const { words } = this;
    const any: [string, string] = ["", words.say("all")];
    const pick = (key: string, label: string, names: string[]): HTMLElement => choice(label, [any, ...names.map((name): [string, string] => [name, name])], this.asked.get(key) ?? "", (value) => this.set(key, value));
    this.filters.setAttribute("aria-label", words.say("filters"));
    this.filters.replaceChildren(pick("program", words.say("program"), known.programs), pick("wrap", words.say("wrap"), known.wraps));
  }

  private set(key: string, value: string): void {
    if (value === "") this.asked.delete(key);
    else this.asked.set(key, value);
    const search = this.asked.toString();
    history.replaceState(null, "", `/trends${search === "" ? "" : `?${search}`}`);
    [this.lines, this.damaged, this.offset, this.wanted] = [[], [], 0, BLOCK];
    void this.load();
  }

  private async readMore(): Promise<void> {
    this.wanted += BLOCK;
    await this.load();
  }

  /** Some sessions at a time, drawn as they come. */
  private async collect(): Promise<void> {
    const { words } = this;
    const run = ++this.run;
    let total = Infinity;
    while (this.offset < Math.min(this.wanted, total)) {
      const answer = await ask("trends", { ...this.filter(), limit: STEP, offset: this.offset });
      if (this.closed || run !== this.run) return;
      this.trouble.replaceChildren();
      total = answer.total;
      this.offset += STEP;
      this.lines = [...answer.sessions.reverse(), ...this.lines];
      this.damaged.push(...answer.damaged);
      setText(this.told, words.say("trends_progress", { n: Math.min(this.offset, total), all: Math.min(this.wanted, total) }));
      this.draw();
    }
    if (total === Infinity) total = (await ask("trends", { ...this.filter(), limit: 1 })).total;
    this.more.hidden = this.offset >= total;
    const texts = [this.lines.length < 2 ? words.say("trends_few") : words.say("trends_shown", { n: this.lines.length, all: total })];
    if (this.damaged.length > 0) texts.push(words.say("trends_damaged", { names: this.damaged.join(", ") }));
    setText(this.told, texts.join(" "));
  }

  private clear(): void {
    for (const { plot, watch } of this.plots) {
      watch.disconnect();
      plot.destroy();
    }
    this.plots = [];
  }

  private draw(): void {
    this.clear();
    this.charts.replaceChildren(...CHARTS.map((chart) => this.chart(chart)));
    // Only what is in the page has a width.
    for (const [i, place] of [...this.charts.querySelectorAll<HTMLElement>(".chart")].entries()) this.plot(place, Number(place.dataset.chart ?? i));
    this.rows.replaceChildren(this.table());
  }

  private chart(chart: TrendChart): HTMLElement {
    const { words } = this;
    const help = words.say(chart.help);
    const title = words.say(chart.title);
    const empty = chart.series.every((series) => this.lines.every((line) => series.read(line) === null));
    const legend = chart.series.map((series) => h("span", {}, drawnShape(series), series.name(words)));
    return h(
      "figure",
      { class: "card" },
      h("figcaption", {}, h("h3", {}, title), h("small", {}, help), h("span", { class: "letters" }, ...legend)),
      empty
        ? h("p", { class: "muted" }, words.say("trends_nothing"))
        : h("div", { class: "chart", role: "img", "data-chart": CHARTS.indexOf(chart), "aria-label": words.say("trends_label", { title, help }) }),
    );
  }

  private plot(place: HTMLElement, number_: number): void {
    const chart = CHARTS[number_];
    if (chart === undefined || place.clientWidth === 0) return;
    const { words } = this;
    const text = css("--muted");
    const grid = { stroke: css("--line"), width: 1 };
    const font = "12px system-ui, sans-serif";
    const days = (_u: uPlot, splits: number[]): string[] => splits.map((at) => new Date(at * 1000).toLocaleDateString(words.language, { day: "numeric", month: "short" }));
    const plot = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT_PX,
        padding: [10, 16, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, sync: { key: "trends" } },
        scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, chart.top ?? (max > 0 ? max * 1.1 : 1)] } },
        axes: [
          { stroke: text, font, size: 26, gap: 4, grid, ticks: { show: false }, values: days, space: 70, incrs: [1, 2, 7, 14, 30, 91, 182, 365].map((n) => n * 86_400) },
          { stroke: text, font, size: 48, grid, ticks: { show: false }, incrs: axisSteps(chart), space: 22 },
        ],
        series: [
          {},
          ...chart.series.map((series): uPlot.Series => {
            const stroke = colourOf(series.colour);
            return { stroke, width: 1.4, dash: series.dash, spanGaps: chart.spans, points: { show: (u, number_) => markPoints(u, number_, series, stroke) } };
          }),
        ],
      },
      [this.lines.map((line) => line.started_unix_s), ...chart.series.map((series) => this.lines.map(series.read))],
      place,
    );
    plot.over.addEventListener("click", () => {
      const line = this.lines[plot.cursor.idx ?? -1];
      if (line !== undefined) this.shared.go(`/history/${line.session}`);
    });
    for (const canvas of place.querySelectorAll("canvas")) canvas.setAttribute("aria-hidden", "true");
    this.plots.push({ plot, watch: follow(place, () => plot, HEIGHT_PX) });
  }

  private table(): HTMLElement {
    const { words } = this;
    const heads = [words.say("when"), words.say("program"), words.say("wrap"), ...CHARTS.flatMap((chart) => chart.columns.map((column) => column.name(words)))];
    const rows = [...this.lines].reverse().flatMap((line) =>
      line.wraps.map((wrap) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, h("a", { href: `/history/${line.session}` }, dateTime(line.started_unix_s, words.language))),
          h("td", {}, line.program),
          h("td", {}, wrap.id),
          ...CHARTS.flatMap((chart) => chart.columns.map((column) => h("td", {}, number(column.read(line, wrap), chart.digits, words.language)))),
        ),
      ),
    );
    return h("table", { class: "figures" }, h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, ...rows));
  }
}

/** For the legend. */
function drawnShape(series: TrendSeries): SVGElement {
  const { path, filled } = SHAPES[series.shape];
  return s("svg", { class: `c${series.colour} ${filled ? "filled" : "hollow"}`, viewBox: "-8 -8 16 16", width: 16, height: 16, "aria-hidden": "true" }, s("path", { d: path }));
}

/** The same shape on each point of a series; says that there are no points left for uPlot to draw. */
function markPoints(u: uPlot, number_: number, series: TrendSeries, colour: string): boolean {
  const { path, filled } = SHAPES[series.shape];
  const shape = new Path2D(path);
  const { ctx } = u;
  u.data[0].forEach((at_s, i) => {
    const value = u.data[number_]?.[i];
    if (typeof value !== "number") return;
    ctx.save();
    ctx.translate(u.valToPos(at_s, "x", true), u.valToPos(value, "y", true));
    ctx.scale(devicePixelRatio, devicePixelRatio);
    ctx.setLineDash([]);
    ctx.lineWidth = 1.8;
    ctx.strokeStyle = ctx.fillStyle = colour;
    if (filled) ctx.fill(shape);
    else ctx.stroke(shape);
    ctx.restore();
  });
  return false;
}
