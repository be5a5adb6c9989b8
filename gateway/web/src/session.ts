/** The session: where it is, what comes next, and what can be asked of it. */

import { h, setAttribute, setText } from "./dom";
import type { Model } from "./model";
import { clockText, nextCycle_s, shareDone } from "./progress";
import type { Asker } from "./socket";
import type { Words } from "./text";

const BOOST_MMHG = 5;

export class SessionPanel {
  readonly element: HTMLElement;
  private readonly title = h("h2");
  private readonly state = h("p", { class: "state", role: "status" });
  private readonly left = h("p", { class: "left" });
  private readonly cycle = h("p", { class: "cycle" });
  private readonly fill = h("div", { class: "fill" });
  private readonly bar: HTMLElement;
  private readonly told = h("p", { class: "told", role: "status" });
  private readonly buttons: Record<"start" | "pause" | "resume" | "boost_down" | "boost_up", HTMLButtonElement>;

  constructor(
    private readonly words: Words,
    private readonly gateway: Asker,
    key: string,
    /** id of what it stands under */ heading: string | null,
    onStart: () => void,
  ) {
    this.title.id = `${key}session-title`;
    const button = (key: keyof SessionPanel["buttons"], act: () => void, kind = ""): HTMLButtonElement =>
      h("button", { type: "button", class: kind, hidden: true, click: act, "data-action": key }, words.say(key));
    this.buttons = {
      start: button("start", onStart, "primary"),
      pause: button("pause", () => void this.ask("pause", {})),
      resume: button("resume", () => void this.ask("resume", {}), "primary"),
      boost_down: button("boost_down", () => void this.ask("boost", { mmhg: -BOOST_MMHG })),
      boost_up: button("boost_up", () => void this.ask("boost", { mmhg: BOOST_MMHG })),
    };
    this.bar = h("div", { class: "progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": words.say("session_progress") }, this.fill);
    this.element = h(
      "section",
      { class: "card session", "aria-labelledby": heading === null ? this.title.id : `${heading} ${this.title.id}` },
      h("div", { class: "what" }, this.title, this.state),
      h("div", { class: "when" }, this.left, this.cycle),
      this.bar,
      h("div", { class: "actions" }, ...Object.values(this.buttons), this.told),
    );
  }

  /** `now_ms` moves the time on between the states, which come once a second. */
  draw(model: Model, now_ms: number): void {
    const { words } = this;
    const told = model.session();
    const unreached = model.brokerDown !== null;
    const session = unreached || told === null || told.state === "ended" ? null : told;
    this.element.classList.toggle("idle", session === null);
    this.element.dataset.state = session?.state ?? "none";
    if (session === null) {
      setText(this.title, words.say(unreached ? "session_unknown" : "session_none"));
      setText(this.state, unreached ? words.say("session_unknown_what") : told === null ? words.say("session_none_what") : `${told.program}: ${words.say("session_ended")}`);
      setText(this.left, "");
      setText(this.cycle, "");
    } else {
      const heard_ms = Math.max(...model.sorted().map((wrap) => wrap.stateHeard_ms ?? -Infinity));
      const since_s = session.state === "running" && !model.isAlone(now_ms) ? Math.min(1.5, (now_ms - heard_ms) / 1000) : 0;
      const now = { ...session, elapsed_s: Math.min(session.duration_s, session.elapsed_s + since_s) };
      const next_s = nextCycle_s(now);
      setText(this.title, session.program.replaceAll("-", " "));
      setText(this.state, words.sayOf("session", session.state));
      setText(this.left, `${clockText(session.duration_s - now.elapsed_s)} ${words.say("session_left")}`);
      const cycle = session.cycles > 0 ? words.say("session_cycle", { n: session.cycle, all: session.cycles }) : "";
      const next = next_s === null ? words.say("session_last") : words.say("session_next", { s: next_s });
      setText(this.cycle, session.state === "running" && cycle !== "" ? `${cycle} · ${next}` : cycle);
    }
    const share = session === null ? 0 : shareDone(session);
    this.fill.style.transform = `scaleX(${share.toFixed(4)})`;
    this.bar.hidden = session === null;
    setAttribute(this.bar, "aria-valuenow", String(Math.round(share * 100)));
    if (session !== null) setAttribute(this.bar, "aria-valuetext", words.say("session_of", { done: clockText(session.elapsed_s), all: clockText(session.duration_s) }));
    this.offer(model, session?.state ?? null);
  }

  private offer(model: Model, state: string | null): void {
    const { buttons } = this;
    buttons.start.hidden = state !== null || !model.takes("start");
    buttons.pause.hidden = state !== "running" || !model.takes("pause");
    buttons.resume.hidden = state !== "paused" || !model.takes("resume");
    buttons.boost_down.hidden = buttons.boost_up.hidden = (state !== "running" && state !== "paused") || !model.takes("boost");
  }

  private async ask(command: string, body: Record<string, unknown>): Promise<void> {
    const { words } = this;
    setText(this.told, words.say("asked"));
    const answer = await this.gateway.ask(command, body);
    setText(this.told, answer.ok ? words.say("acknowledged") : words.say("refused", { why: words.sayOf("fail", answer.why ?? "") }));
  }
}
