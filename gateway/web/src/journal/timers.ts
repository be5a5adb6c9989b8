/** The timers on the page. They run by the wall clock in the browser's store, so that they go on over a reload and are the same in every tab. */

import { h, setText } from "../dom";
import { freshTimer, left_ms, MINUTES, pauseTimer, readTimers, startTimer, tickTimer, TIMERS, timerText, type Timer, type TimerName, type Timers } from "./timer";
import type { JournalWords } from "./words";

export const TIMERS_KEY = "wavewrap-timers";
const TICK_MS = 250;
/** Choice: a warm-up and the run after it; what was timed before that belongs to another one. */
const USED_MS = 6 * 3_600_000;

/** The timers as they are now; those whose time is over are written back as such. */
export function loadTimers(now_ms: number): Timers {
  const kept = readTimers(localStorage.getItem(TIMERS_KEY));
  return { warm_up: tickTimer(kept.warm_up, now_ms), stretch: tickTimer(kept.stretch, now_ms) };
}

export function storeTimers(timers: Timers): void {
  localStorage.setItem(TIMERS_KEY, JSON.stringify(timers));
}

interface Row {
  time: HTMLElement;
  fill: HTMLElement;
  bar: HTMLElement;
  go: HTMLButtonElement;
  reset: HTMLButtonElement;
  minutes: HTMLSelectElement | null;
}

export class TimersPanel {
  readonly element: HTMLElement;
  private readonly told = h("p", { class: "told", role: "status" });
  private readonly rows: Record<TimerName, Row>;
  private announced: Record<TimerName, number | null>;

  constructor(
    private readonly words: JournalWords,
    private readonly onDone: (name: TimerName, minutes: number) => void,
    private readonly onSet: () => void,
  ) {
    const kept = readTimers(localStorage.getItem(TIMERS_KEY));
    const timers = loadTimers(Date.now());
    this.rows = { warm_up: this.build("warm_up", timers.warm_up), stretch: this.build("stretch", timers.stretch) };
    this.element = h("div", { class: "timers" }, ...TIMERS.map((name) => this.card(name)), this.told);
    // What was over before this page looked was announced then; the run may still want it.
    this.announced = { warm_up: kept.warm_up.done_ms, stretch: kept.stretch.done_ms };
    for (const name of TIMERS) if ((kept[name].done_ms ?? 0) > Date.now() - USED_MS) this.onDone(name, kept[name].length_s / 60);
    setInterval(() => this.draw(), TICK_MS);
  }

  /** A run was noted with what they have measured. */
  use(): void {
    const { warm_up, stretch } = loadTimers(Date.now());
    storeTimers({ warm_up: { ...warm_up, done_ms: null }, stretch: { ...stretch, done_ms: null } });
  }

  private build(name: TimerName, timer: Timer): Row {
    const { words } = this;
    const choices = MINUTES[name];
    const change = (): void => this.set(name, freshTimer(Number(this.rows[name].minutes?.value) * 60));
    const minutes =
      choices.length < 2
        ? null
        : h("select", { "aria-label": words.say("timer_length"), change }, ...choices.map((n) => h("option", { value: n, selected: n * 60 === timer.length_s }, words.say("timer_minutes", { n }))));
    const fill = h("div", { class: "fill" });
    return {
      time: h("strong", { class: "time", role: "timer" }),
      fill,
      bar: h("div", { class: "progress", "aria-hidden": "true" }, fill),
      go: h("button", { type: "button", click: () => this.toggle(name) }),
      reset: h("button", { type: "button", class: "quiet", click: () => this.set(name, freshTimer(this.read(name).length_s)) }, words.say("timer_reset")),
      minutes,
    };
  }

  private card(name: TimerName): HTMLElement {
    const { words } = this;
    const row = this.rows[name];
    return h(
      "section",
      { class: "timer", "data-timer": name, "aria-label": words.say(`timer_${name}`) },
      h("div", { class: "what" }, h("h4", {}, words.say(`timer_${name}`)), h("small", {}, words.say(`timer_${name}_what`))),
      row.time,
      row.bar,
      h("div", { class: "actions" }, row.go, row.reset, row.minutes),
    );
  }

  private read(name: TimerName): Timer {
    return loadTimers(Date.now())[name];
  }

  private set(name: TimerName, timer: Timer): void {
    storeTimers({ ...loadTimers(Date.now()), [name]: timer });
    setText(this.told, "");
    this.draw();
    this.onSet();
  }

  private toggle(name: TimerName): void {
    const now_ms = Date.now();
    const timer = this.read(name);
    this.set(name, timer.ends_ms === null ? startTimer(timer, now_ms) : pauseTimer(timer, now_ms));
  }

  draw(): void {
    // Where the page is not looked at, the live page says that a time is over.
    if (this.element.offsetParent === null) return;
    const { words } = this;
    const now_ms = Date.now();
    const timers = loadTimers(now_ms);
    for (const name of TIMERS) {
      const timer = timers[name];
      const row = this.rows[name];
      const left = left_ms(timer, now_ms);
      const begun = left < timer.length_s * 1000;
      setText(row.time, timerText(left));
      row.fill.style.transform = `scaleX(${(1 - left / (timer.length_s * 1000)).toFixed(4)})`;
      setText(row.go, words.say(timer.ends_ms !== null ? "timer_pause" : begun && left > 0 ? "timer_resume" : "timer_start"));
      row.reset.hidden = !begun;
      if (row.minutes !== null) {
        row.minutes.hidden = timer.ends_ms !== null || begun;
        row.minutes.value = String(timer.length_s / 60);
      }
      if (timer.done_ms !== null && this.announced[name] !== timer.done_ms) {
        this.announced[name] = timer.done_ms;
        storeTimers(timers);
        setText(this.told, words.say("timer_over", { name: words.say(`timer_${name}`) }));
        this.onDone(name, timer.length_s / 60);
      }
    }
  }
}
