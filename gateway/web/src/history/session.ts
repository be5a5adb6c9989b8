/** One session in full: what it was, its traces, what is missing, what each chamber got, how well its steps kept time, what happened. */

import { h, setText } from "../dom";
import { ask, AskError, type Session, type WrapFigures } from "./ask";
import { clock, dateTime, fineClock, length, number } from "./format";
import { stateBadge } from "./list";
import { doseTable, sideBars } from "./tables";
import { TraceBoard } from "./traces";
import { View, type Shared } from "./view";
import type { HistoryKey } from "./words";

const KINDS = { csv: "CSV", parquet: "Parquet", png: "PNG" } as const;
/** Longer lists of gaps are for the file. */
const SPANS_SHOWN = 6;

export class SessionView extends View {
  readonly title = this.words.say("title");
  private readonly body = h("div", { class: "view" });
  private readonly told = h("p", { class: "told", role: "status" });
  private board: TraceBoard | null = null;

  constructor(
    shared: Shared,
    private readonly name: string,
  ) {
    super(shared);
    this.element.append(this.body);
  }

  override restyle(): void {
    this.board?.restyle();
  }

  override close(): void {
    super.close();
    this.board?.close();
  }

  protected override async read(): Promise<void> {
    this.body.replaceChildren(h("p", { class: "muted", role: "status" }, this.words.say("loading")));
    let session: Session;
    try {
      session = await ask("session", { session: this.name });
    } catch (cause) {
      this.body.replaceChildren();
      throw cause;
    }
    if (this.closed) return;
    this.onTitle(session.title);
    this.board?.close();
    const board = new TraceBoard(session, this.words);
    this.board = board;
    this.body.replaceChildren(
      this.head(session),
      board.element,
      this.missing(session),
      this.dose(session),
      this.sides(session),
      this.steps(session, board),
      this.events(session, board),
      h("p", { class: "muted recorded" }, this.words.say("recorded_by", { gateway: session.gateway, version: session.version }), ` · ${session.session}`),
    );
    await board.read();
  }

  private head(session: Session): HTMLElement {
    const { words } = this;
    const when = dateTime(session.started_unix_s, words.language);
    const lasted_s = session.ended_unix_s === null ? null : session.ended_unix_s - session.started_unix_s;
    const summary = session.summary;
    const facts = h("dl", { class: "facts" });
    const fact = (key: HistoryKey, text: string | null): void => {
      if (text !== null) facts.append(h("div", {}, h("dt", {}, words.say(key)), h("dd", {}, text)));
    };
    const cycles = summary?.wraps.map((wrap) => words.say("of", { n: wrap.cycles.delivered, all: wrap.cycles.planned })) ?? [];
    const doses = session.wraps.flatMap((wrap) => (wrap.kept > 0 ? wrap.dose : []));
    const kept = session.wraps.reduce((sum, wrap) => sum + wrap.kept, 0);
    const missing = session.wraps.reduce((sum, wrap) => sum + wrap.missing, 0);
    const p99 = session.wraps.flatMap((wrap) => (wrap.timing_ms === null ? [] : [wrap.timing_ms.p99]));
    const count = (n: number): string => number(n, 0, words.language);
    fact("length", lasted_s === null ? words.say("planned", { length: length(session.planned_s) }) : length(lasted_s));
    fact("cycles", cycles.length === 0 ? null : [...new Set(cycles)].join(" · "));
    fact("highest", doses.length === 0 ? null : `${number(Math.max(...doses.map((one) => one.peak_mmhg)), 1, words.language)} ${words.shared("unit")}`);
    fact("over_mean", doses.length === 0 ? null : length(doses.reduce((sum, one) => sum + one.over_threshold_s, 0) / doses.length));
    fact("timing_p99", p99.length === 0 ? null : `${number(Math.max(...p99), 2, words.language)} ms`);
    fact("samples", kept === 0 ? words.say("samples_none") : missing === 0 ? words.say("samples_all", { n: count(kept) }) : words.say("samples_missing", { n: count(kept), missing: count(missing) }));
    const proof = summary === null ? null : h("span", { class: summary.vented ? "muted" : "bad" }, words.say(summary.vented ? "vented" : "not_vented"));
    return h(
      "section",
      { class: "card about" },
      h("p", { class: "line" }, h("time", { datetime: new Date(session.started_unix_s * 1000).toISOString() }, when), stateBadge(session.state, words.sayOf("state", session.state)), proof),
      session.description === "" ? null : h("p", { class: "muted" }, session.description),
      session.reason === "" || session.state === "completed" ? null : h("p", {}, session.reason),
      facts,
      this.findings(session),
      this.actions(session, when),
    );
  }

  private findings(session: Session): HTMLElement | null {
    const found = session.summary?.wraps.flatMap((wrap) => (wrap.findings ?? []).map((one) => `${wrap.id}: ${one.text}`)) ?? [];
    return found.length === 0 ? null : h("div", { class: "findings" }, h("h3", {}, this.words.say("findings")), h("ul", {}, ...found.map((text) => h("li", {}, text))));
  }

  private actions(session: Session, when: string): HTMLElement {
    const { words } = this;
    const fetching = Object.entries(KINDS).map(([kind, name]) => h("button", { type: "button", click: () => void this.download(kind, name) }, name));
    const running = session.state === "running";
    return h(
      "div",
      { class: "actions", "aria-label": words.say("download"), role: "group" },
      h("span", { class: "muted" }, words.say("download")),
      ...fetching,
      running ? h("button", { type: "button", click: () => void this.load() }, words.say("read_again")) : null,
      h("button", { type: "button", class: "quiet", click: () => print() }, words.say("print")),
      h("a", { class: "button quiet", href: `/compare?one=${session.session}` }, words.say("compare")),
      h("button", { type: "button", class: "quiet danger", disabled: running, title: running ? words.say("delete_running") : undefined, click: () => this.confirm(session, when) }, words.say("delete")),
      this.told,
    );
  }

  private async download(kind: string, name: string): Promise<void> {
    setText(this.told, this.words.say("download_making", { kind: name }));
    try {
      const file = await ask("export", { session: this.name, format: kind });
      setText(this.told, "");
      const link = h("a", { href: `/file/${file.key}`, download: file.name });
      link.click();
    } catch (cause) {
      if (!(cause instanceof AskError)) throw cause;
      this.tell(cause);
    }
  }

  private tell(cause: AskError): void {
    setText(this.told, cause.kind === "server" ? this.words.say("trouble_server") : cause.message);
  }

  /** Asked before it is done: unlike STOP, this cannot be taken back. Escape stays STOP, and closes nothing. */
  private confirm(session: Session, when: string): void {
    const { words } = this;
    const dialog = h(
      "dialog",
      { class: "sheet", "aria-labelledby": "delete-title" },
      h("h2", { id: "delete-title", tabindex: -1 }, words.say("delete_title")),
      h("p", {}, words.say("delete_what", { when })),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", class: "primary danger", click: () => void remove() }, words.say("delete_yes")),
        h("button", { type: "button", click: () => shut() }, words.say("delete_no")),
      ),
    );
    const shut = (): void => {
      dialog.close();
      dialog.remove();
    };
    const remove = async (): Promise<void> => {
      try {
        await ask("delete", { session: session.session });
        this.shared.chosen.delete(session.session);
        this.shared.notice = words.say("deleted", { when });
        shut();
        this.shared.go("/history");
      } catch (cause) {
        if (!(cause instanceof AskError)) throw cause;
        shut();
        this.tell(cause);
      }
    };
    this.element.append(dialog);
    dialog.show();
  }

  private missing(session: Session): HTMLElement {
    const { words } = this;
    const lines = session.wraps.filter((wrap) => wrap.missing > 0).map((wrap) => words.say("missing_wrap", { side: words.shared(wrap.side), n: number(wrap.missing, 0, words.language), spans: this.spans(wrap) }));
    if (lines.length > 0) lines.push(words.say("missing_shade"));
    if (session.unrecorded > 0) lines.push(words.say("missing_unrecorded", { n: number(session.unrecorded, 0, words.language) }));
    if (lines.length === 0 && session.wraps.some((wrap) => wrap.kept > 0)) lines.push(words.say("missing_none"));
    return h("section", { class: "card", "aria-labelledby": "missing-title" }, h("h3", { id: "missing-title" }, words.say("missing_title")), ...(lines.length > 0 ? lines : [words.say("traces_none")]).map((line) => h("p", {}, line)));
  }

  private spans(wrap: WrapFigures): string {
    const { words } = this;
    const shown = wrap.missing_spans.slice(0, SPANS_SHOWN).map((span) => words.say("missing_span", { from: fineClock(span.from_s), to: fineClock(span.to_s), n: span.samples }));
    return [...shown, ...(wrap.missing_spans.length > SPANS_SHOWN ? [words.say("missing_more")] : [])].join(", ");
  }

  private dose(session: Session): HTMLElement {
    const { words } = this;
    return h(
      "section",
      { class: "card", "aria-labelledby": "dose-title" },
      h("h3", { id: "dose-title" }, words.say("dose")),
      h("p", { class: "muted" }, words.say("dose_help")),
      h("div", { class: "pair" }, ...session.wraps.map((wrap) => doseTable(words, `${words.shared(wrap.side)} ${wrap.id}`, wrap.dose))),
    );
  }

  private sides(session: Session): HTMLElement {
    const { words } = this;
    const left = session.wraps.find((wrap) => wrap.side === "left");
    const right = session.wraps.find((wrap) => wrap.side === "right");
    const both = left !== undefined && right !== undefined && session.left_minus_right.length > 0;
    return h(
      "section",
      { class: "card", "aria-labelledby": "sides-title" },
      h("h3", { id: "sides-title" }, words.say("sides")),
      both ? sideBars(words, left.dose, right.dose, session.left_minus_right) : h("p", { class: "muted" }, words.say("sides_one")),
    );
  }

  private steps(session: Session, board: TraceBoard): HTMLElement {
    const { words } = this;
    const digits = (ms: number): string => number(ms, 2, words.language);
    const lines = session.wraps.map((wrap, i) => {
      const side = `${words.shared(wrap.side)} ${wrap.id}`;
      const text =
        wrap.timing_ms === null
          ? words.say("steps_none", { side })
          : words.say("steps_told", { side, n: wrap.steps_carried_out, all: wrap.steps_answered, p50: digits(wrap.timing_ms.p50), p99: digits(wrap.timing_ms.p99), max: digits(wrap.timing_ms.max) });
      return h("li", {}, h("i", { class: i === 0 ? "dot" : "ring", "aria-hidden": "true" }), text);
    });
    const some = session.wraps.some((wrap) => wrap.steps.length > 0);
    return h(
      "section",
      { class: "card", "aria-labelledby": "steps-title" },
      h("h3", { id: "steps-title" }, words.say("steps"), h("small", {}, ` ${words.say("steps_axis")}`)),
      h("p", { class: "muted" }, words.say("steps_help")),
      h("ul", { class: "step-lines" }, ...lines),
      some ? board.stepsPlace : null,
    );
  }

  private events(session: Session, board: TraceBoard): HTMLElement {
    const { words } = this;
    const rows = session.events.map((event) => {
      const at = event.at_s;
      const when = at === null ? new Date(event.unix_s * 1000).toLocaleTimeString(words.language) : clock(at);
      const moment = at === null ? h("span", { class: "at" }, when) : h("button", { type: "button", class: "at", "aria-label": words.say("events_go", { when }), title: words.say("events_go", { when }), click: () => board.showEvent(at) }, when);
      return h("li", {}, moment, h("span", {}, h("small", {}, `${event.wrap === "" ? words.say("events_gateway") : event.wrap} `), event.text));
    });
    return h(
      "section",
      { class: "card", "aria-labelledby": "events-title" },
      h("h3", { id: "events-title" }, words.say("events")),
      rows.length === 0 ? h("p", { class: "muted" }, words.say("events_none")) : h("ol", { class: "happenings" }, ...rows),
    );
  }
}
