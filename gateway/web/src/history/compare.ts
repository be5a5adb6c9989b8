/** Two sessions: their traces over each other, chamber by chamber, and what each chamber got more of. */

import uPlot from "uplot";
import { css } from "../chart";
import { h } from "../dom";
import { ask, type Comparison, type Curve, type SessionLine, type Side, type Traces } from "./ask";
import { dateTime } from "./format";
import { colourOf, follow, sessionPlot } from "./plot";
import { clamp, type Span } from "./span";
import { changeTable } from "./tables";
import { choice, View, type Shared } from "./view";
import { ZoomBar } from "./zoombar";

const HEIGHT_PX = 130;
const CHOICES = 200;
const TOP_MMHG = 60;

interface Small {
  place: HTMLElement;
  side: Side;
  chamber: number;
  plot: uPlot | null;
  watch: ResizeObserver;
}

export class CompareView extends View {
  readonly title = this.words.say("title_compare");
  private readonly pick = h("section", { class: "card filters wide" });
  private readonly body = h("div", { class: "view" });
  private smalls: Small[] = [];
  private traces: [Traces, Traces] | null = null;
  private readonly bar = new ZoomBar(this.words, (span) => this.look(span));
  private span: Span = { from_s: 0, to_s: 1 };
  private whole: Span = { from_s: 0, to_s: 1 };
  private asked = 0;

  constructor(
    shared: Shared,
    private one: string | null,
    private other: string | null,
  ) {
    super(shared);
    this.element.append(this.pick, this.body);
  }

  override restyle(): void {
    for (const small of this.smalls) {
      small.plot?.destroy();
      small.plot = null;
    }
    this.draw();
  }

  override close(): void {
    super.close();
    this.clear();
  }

  protected override async read(): Promise<void> {
    const { words, one, other } = this;
    const known = await ask("sessions", { limit: CHOICES });
    if (this.closed) return;
    this.fillPick(known.sessions);
    this.clear();
    if (one === null || other === null || one === other) {
      this.body.replaceChildren(h("p", { class: "card" }, words.say(one !== null && one === other ? "compare_same" : "compare_choose")));
      return;
    }
    this.body.replaceChildren(h("p", { class: "muted", role: "status" }, words.say("loading")));
    const comparison = await ask("compare", { one, other });
    await this.readTraces(null);
    if (this.closed) return;
    this.build(comparison, one, other, known.sessions);
    this.draw();
  }

  private async readTraces(span: Span | null): Promise<void> {
    const number = ++this.asked;
    const points = Math.min(800, Math.max(300, Math.round(this.element.clientWidth / 2)));
    const read = (session: string | null): Promise<Traces> => ask("traces", { session, ...(span ?? {}), points });
    const both = await Promise.all([read(this.one), read(this.other)]);
    if (number !== this.asked) return;
    this.traces = both;
    if (span === null) {
      this.whole = { from_s: Math.min(both[0].from_s, both[1].from_s), to_s: Math.max(both[0].to_s, both[1].to_s) };
      this.span = this.whole;
    }
    this.bar.show(this.span, this.whole);
    const thinned = both.some((traces) => traces.wraps.some((wrap) => wrap.thinned));
    this.bar.tell(this.words.say(thinned ? "traces_thinned" : "traces_plain"));
  }

  private clear(): void {
    for (const small of this.smalls) {
      small.watch.disconnect();
      small.plot?.destroy();
    }
    this.smalls = [];
  }

  private fillPick(sessions: SessionLine[]): void {
    const { words } = this;
    const options = sessions.map((one): [string, string] => [one.session, `${dateTime(one.started_unix_s, words.language)} · ${one.program}`]);
    // What an address names may be older than the newest ones.
    for (const name of [this.one, this.other]) if (name !== null && !sessions.some((one) => one.session === name)) options.push([name, name]);
    const field = (label: string, value: string | null, set: (name: string) => void): HTMLElement => choice(label, [["", "–"], ...options], value ?? "", set);
    this.pick.replaceChildren(
      field(words.say("compare_a"), this.one, (name) => this.set(name || null, this.other)),
      field(words.say("compare_b"), this.other, (name) => this.set(this.one, name || null)),
      h("button", { type: "button", class: "quiet", click: () => this.set(this.other, this.one) }, words.say("compare_swap")),
    );
  }

  private set(one: string | null, other: string | null): void {
    [this.one, this.other] = [one, other];
    const asked = new URLSearchParams();
    if (one !== null) asked.set("one", one);
    if (other !== null) asked.set("other", other);
    history.replaceState(null, "", `/compare?${asked.toString()}`);
    void this.load();
  }

  private build(comparison: Comparison, one: string, other: string, sessions: SessionLine[]): void {
    const { words } = this;
    if (comparison.sides.length === 0) {
      this.body.replaceChildren(h("p", { class: "card" }, words.say("compare_no_side")));
      return;
    }
    const name = (session: string): string => {
      const found = sessions.find((known) => known.session === session);
      return found === undefined ? session : dateTime(found.started_unix_s, words.language);
    };
    const link = (letter: string, session: string): HTMLElement => h("a", { href: `/history/${session}`, class: `letter-${letter}` }, h("i", { "aria-hidden": "true" }), `${letter.toUpperCase()} `, name(session));
    const columns = comparison.sides.map(({ side }) => {
      const chambers = Math.max(...(this.traces?.map((traces) => traces.wraps.find((wrap) => wrap.side === side)?.pressure_mmhg.length ?? 0) ?? [0]));
      const own = Array.from({ length: chambers }, (_, i) => this.small(side, chambers - i));
      this.smalls.push(...own);
      return h("div", { class: "smalls" }, h("h4", {}, words.shared(side)), ...own.map((small) => h("figure", { class: `c${small.chamber}` }, h("figcaption", {}, h("span", { class: "swatch", "aria-hidden": "true" }, String(small.chamber)), h("span", { class: "sr" }, words.say("chamber_n", { n: small.chamber }))), small.place)));
    });
    this.body.replaceChildren(
      h(
        "section",
        { class: "card", "aria-labelledby": "compare-traces" },
        h(
          "div",
          { class: "bar" },
          h("h3", { id: "compare-traces" }, words.say("compare_traces"), h("small", {}, ` ${words.shared("unit")}`)),
          h("span", { class: "letters" }, link("a", one), link("b", other)),
          this.bar.buttons,
        ),
        h("p", { class: "muted how" }, words.say("traces_how")),
        this.bar.told,
        h("div", { class: "pair" }, ...columns),
      ),
      h(
        "section",
        { class: "card", "aria-labelledby": "compare-dose" },
        h("h3", { id: "compare-dose" }, words.say("compare_difference")),
        h("div", { class: "pair" }, ...comparison.sides.map((side) => changeTable(words, words.shared(side.side), side.changes))),
      ),
    );
  }

  private small(side: Side, chamber: number): Small {
    const place = h("div", { class: "chart", role: "img", "aria-label": this.words.say("compare_label", { n: chamber, side: this.words.shared(side) }) });
    const small: Small = { place, side, chamber, plot: null, watch: follow(place, () => small.plot, HEIGHT_PX) };
    return small;
  }

  private look(span: Span): void {
    this.span = clamp(span, this.whole);
    this.bar.show(this.span, this.whole);
    void this.readTraces(this.span).then(
      () => this.restyle(),
      () => this.load(),
    );
  }

  private draw(): void {
    for (const small of this.smalls) {
      if (small.plot !== null || small.place.clientWidth === 0 || this.traces === null) continue;
      const tables = this.traces.map((traces): uPlot.AlignedData => {
        const wrap = traces.wraps.find((one) => one.side === small.side);
        return [wrap?.at_s ?? [], wrap?.pressure_mmhg[small.chamber - 1] ?? ([] as Curve)];
      });
      small.plot = sessionPlot(small.place, uPlot.join(tables), this.span, {
        height: HEIGHT_PX,
        group: "compare",
        y: (_min, max) => [0, Math.max(TOP_MMHG, Math.ceil((max + 4) / 20) * 20)],
        onZoom: (span) => this.look(span),
        series: [
          {},
          { stroke: colourOf(small.chamber), width: 2, points: { show: false } },
          { stroke: css("--text"), width: 1.2, dash: [5, 4], points: { show: false } },
        ],
      });
      for (const canvas of small.place.querySelectorAll("canvas")) canvas.setAttribute("aria-hidden", "true");
    }
  }
}
