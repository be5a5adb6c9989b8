/** One wrap: its calf, the numbers of its chambers, its traces, and how well it is heard. */

import { Calf } from "./calf";
import { Chart, type Span } from "./chart";
import { h, setText } from "./dom";
import type { Model, Wrap } from "./model";
import type { Words } from "./text";

export class Card {
  readonly element: HTMLElement;
  private readonly calf: Calf;
  private readonly chart: Chart;
  private readonly rows: { measured: HTMLElement; target: HTMLElement }[] = [];
  private readonly facts: Record<"battery" | "link" | "signal" | "clock" | "gaps" | "timing", HTMLElement>;
  private readonly badge = h("span", { class: "badge" });
  private readonly device = h("span", { class: "device" });
  private readonly summary = h("p", { class: "summary" });
  private readonly happenings = h("ol", { class: "events" });
  private shownRevision = -1;
  private described_ms = -Infinity;

  constructor(
    readonly name: string,
    readonly chambers: number,
    readonly side: "left" | "right",
    private readonly words: Words,
    /** of which gateway, where there are several */ readonly gateway: string | null,
    key: string,
  ) {
    this.calf = new Calf(chambers, `${key}wrap-${name}`);
    this.chart = new Chart(chambers);
    const say = words.say.bind(words);
    const list = h("ol", { class: "chambers" });
    for (let n = chambers; n >= 1; n--) {
      const measured = h("strong", {}, "–");
      const target = h("span", { class: "of-target" });
      const where = n === 1 ? say("chamber_first") : n === chambers ? say("chamber_last") : "";
      const row = h(
        "li",
        {
          class: `row c${n}`,
          value: n,
          mouseenter: () => this.highlight(n),
          mouseleave: () => this.highlight(null),
        },
        h("span", { class: "swatch", "aria-hidden": "true" }, String(n)),
        h("span", { class: "where" }, say("chamber", { n }), where === "" ? null : h("small", {}, ` ${where}`)),
        h("span", { class: "values" }, measured, h("span", { class: "unit" }, ` ${say("unit")}`), target),
      );
      list.append(row);
      this.rows[n - 1] = { measured, target };
    }
    const facts = h("dl", { class: "facts" });
    const fact = (key: "battery" | "link" | "signal" | "clock" | "gaps" | "timing", help?: string): HTMLElement => {
      const value = h("dd", { "data-fact": key }, say("unknown"));
      facts.append(h("div", { title: help }, h("dt", {}, say(key)), value));
      return value;
    };
    this.facts = {
      battery: fact("battery"),
      link: fact("link"),
      signal: fact("signal", say("signal_help")),
      clock: fact("clock", say("clock_help")),
      gaps: fact("gaps"),
      timing: fact("timing", say("timing_help")),
    };
    const heading = `${key}card-${name}`;
    this.element = h(
      "article",
      { class: "card wrap", "aria-labelledby": heading, "data-wrap": name },
      h("header", {}, h("h2", { id: heading }, say(side), h("small", {}, ` ${name}`), gateway === null ? null : h("small", { class: "of-gateway" }, ` ${say("of_gateway", { gateway })}`)), this.device, this.badge),
      h("div", { class: "leg-and-numbers" }, this.calf.element, list),
      this.chartPart(side),
      facts,
      this.summary,
      h("details", {}, h("summary", {}, say("events")), this.happenings),
    );
  }

  /** What its calf says to a screen reader. */
  get description(): string {
    return this.calf.element.getAttribute("aria-label") ?? "";
  }

  get isStale(): boolean {
    return this.element.classList.contains("stale");
  }

  restyle(): void {
    this.chart.restyle();
  }

  /** Draw what the wrap said. Called up to thirty times a second. */
  draw(wrap: Wrap, model: Model, now_ms: number): void {
    const stale = wrap.isStale(now_ms) || model.isAlone(now_ms) || model.brokerDown !== null;
    const latest = wrap.latest(now_ms);
    this.element.classList.toggle("stale", stale);
    this.calf.draw(latest, stale);
    this.chart.draw(wrap, now_ms);
    const targets = wrap.targetsNow(now_ms);
    this.rows.forEach((row, i) => {
      const mmhg = latest[i];
      setText(row.measured, mmhg === undefined || Number.isNaN(mmhg) ? "–" : String(Math.max(0, Math.round(mmhg))));
      const target = targets[i];
      setText(row.target, target === undefined ? "" : this.words.say("of_target", { mmhg: Math.round(target) }));
    });
    this.drawBadge(wrap, stale, now_ms);
    // Twice a second is often enough for what is read and not seen.
    if (now_ms - this.described_ms > 500 || this.shownRevision !== model.revision) {
      this.described_ms = now_ms;
      this.shownRevision = model.revision;
      this.calf.describe(latest, stale, this.words.say(this.side), this.words);
      this.drawFacts(wrap);
    }
  }

  private highlight(chamber: number | null): void {
    this.chart.highlight(chamber);
    if (chamber === null) delete this.element.dataset.hot;
    else this.element.dataset.hot = String(chamber);
  }

  private chartPart(side: "left" | "right"): HTMLElement {
    const { words } = this;
    const button = (span: Span, label: string): HTMLButtonElement =>
      h("button", { type: "button", class: "pill", "aria-pressed": String(span === "recent"), click: () => choose(span) }, label);
    const recent = button("recent", words.say("window_recent"));
    const session = button("session", words.say("window_session"));
    const choose = (span: Span): void => {
      recent.setAttribute("aria-pressed", String(span === "recent"));
      session.setAttribute("aria-pressed", String(span === "session"));
      this.chart.setSpan(span);
    };
    this.chart.element.setAttribute("role", "img");
    this.chart.element.setAttribute("aria-label", words.say("chart_label", { side: words.say(side), n: this.chambers }));
    return h(
      "div",
      { class: "traces" },
      h(
        "div",
        { class: "bar" },
        h("h3", {}, words.say("pressure_title"), h("small", {}, ` ${words.say("unit")}`)),
        h("span", { class: "key", title: words.say("target_help") }, h("i", { class: "solid" }), words.say("measured"), h("i", { class: "dashed" }), words.say("target")),
        h("span", { class: "pills" }, recent, session),
      ),
      this.chart.element,
    );
  }

  private drawBadge(wrap: Wrap, stale: boolean, now_ms: number): void {
    const { words } = this;
    const age_ms = wrap.age_ms(now_ms);
    const age = age_ms === null ? words.say("stale_ever") : words.say("stale", { s: Math.max(1, Math.round(age_ms / 1000)) });
    setText(this.badge, stale ? age : words.say("connection_ok"));
    this.badge.classList.toggle("bad", stale);
    const device = stale ? null : wrap.state?.device_state;
    setText(this.device, device ? words.sayOf("device", device) : "");
  }

  private drawFacts(wrap: Wrap): void {
    const { words, facts } = this;
    const none = words.say("unknown");
    const state = wrap.state;
    setText(facts.battery, state?.battery_pct === null || state === null ? none : `${state.battery_pct} %`);
    const link = words.sayOf("link", wrap.availability === "offline" && state?.link === "ready" ? "offline" : (state?.link ?? "offline"));
    setText(facts.link, link);
    setText(facts.signal, state === null || state.rssi_dbm === null ? words.say("signal_unknown") : words.say("signal_value", { dbm: state.rssi_dbm }));
    setText(facts.clock, state?.clock ? words.say("clock_value", { ms: state.clock.uncertainty_ms.toFixed(1) }) : none);
    const gaps = wrap.ring.gaps();
    setText(facts.gaps, gaps.expected === 0 ? none : gaps.missing === 0 ? words.say("gaps_none") : words.say("gaps_value", { n: gaps.missing, all: gaps.expected }));
    const timing_ms = wrap.plays ? state?.timing_ms : wrap.summary?.wraps.find((one) => one.id === wrap.name)?.timing_ms;
    setText(facts.timing, timing_ms ? words.say("timing_value", { ms: timing_ms.p99.toFixed(1) }) : none);
    this.drawSummary(wrap);
    const newest = wrap.events.slice(-8).reverse();
    const texts = newest.map((one) => `${new Date(one.unix_s * 1000).toLocaleTimeString(words.language)} ${one.text}`);
    if (texts.join("\n") !== this.happenings.dataset.shown) {
      this.happenings.dataset.shown = texts.join("\n");
      this.happenings.replaceChildren(...(texts.length > 0 ? texts : [words.say("events_none")]).map((text) => h("li", {}, text)));
    }
  }

  private drawSummary(wrap: Wrap): void {
    const { words } = this;
    const summary = wrap.summary;
    const own = summary?.wraps.find((one) => one.id === wrap.name);
    if (summary === null || own === undefined || wrap.plays) {
      setText(this.summary, "");
      return;
    }
    const parts = [
      `${words.say("summary_title")}: ${summary.program}, ${words.sayOf("summary", summary.ended)}, ${words.say(summary.vented ? "summary_vented" : "summary_not_vented")}`,
      `${own.cycles.delivered}/${own.cycles.planned} ${words.say("summary_cycles")}`,
      `${own.samples.missing} ${words.say("summary_samples")}`,
      `${words.say("summary_peak")} ${Math.round(Math.max(0, ...own.peak_mmhg))} ${words.say("unit")}`,
      ...(own.findings ?? []).map((finding) => finding.text),
    ];
    setText(this.summary, parts.join(" · "));
  }
}
