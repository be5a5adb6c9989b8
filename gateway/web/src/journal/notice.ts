/** What the journal has to say on the live page: a question that is due, a timer that runs. Loaded only when there is something. */

import "./journal.css";
import { h, setText } from "../dom";
import type { Words } from "../text";
import type { Due } from "./entries";
import { Rating } from "./rating";
import { left_ms, readTimers, TIMERS, timerText } from "./timer";
import { loadTimers, storeTimers, TIMERS_KEY } from "./timers";
import { JournalWords } from "./words";

const TICK_MS = 1000;
const LATER_KEY = "wavewrap-soreness-later";
/** Choice: who puts it off is asked again when it may suit, and may answer on the journal's page at any time. */
const LATER_MS = 2 * 3_600_000;

export class JournalNotice {
  private readonly words: JournalWords;
  private readonly rating: Rating;
  private readonly question: HTMLElement;
  private readonly asked = h("span", { role: "status" });
  private readonly answer: HTMLButtonElement;
  private readonly clocks = h("p", { class: "running", "aria-hidden": "true" });
  private readonly over = h("p", { class: "told", role: "status" });
  private due: Due | null = null;

  constructor(
    words: Words,
    private readonly place: HTMLElement,
    questionPlace: HTMLElement,
    onNoted: () => void,
  ) {
    this.words = new JournalWords(words);
    const later = h("button", { type: "button", class: "quiet", click: () => this.putOff() }, this.words.say("later"));
    this.rating = new Rating(this.words, "due-soreness", () => this.close(onNoted), { remarks: false });
    this.rating.element.id = "due-rating";
    this.rating.element.hidden = true;
    this.answer = h("button", { type: "button", "aria-expanded": "false", "aria-controls": "due-rating", click: () => this.toggle() }, this.words.say("answer"));
    const line = h("div", { class: "line" }, h("p", {}, h("strong", {}, this.words.say("soreness_question")), " ", this.asked), h("div", { class: "actions" }, this.answer, later));
    this.question = h("section", { class: "card due", "aria-label": this.words.say("title") }, line, this.rating.element);
    questionPlace.append(this.question);
    this.place.append(h("a", { class: "clocks", href: "/journal" }, this.clocks), this.over);
    setInterval(() => this.draw(), TICK_MS);
    this.draw();
  }

  show(due: Due | null): void {
    this.due = due;
    const first = due?.due[0];
    setText(this.asked, first === undefined ? "" : this.words.about(first));
    this.draw();
  }

  /** One line until somebody wants to answer: what is live stays where it is. */
  private toggle(): void {
    const { element } = this.rating;
    element.hidden = !element.hidden;
    this.answer.setAttribute("aria-expanded", String(!element.hidden));
    if (!element.hidden) this.rating.focus();
  }

  private close(onNoted: () => void): void {
    this.toggle();
    this.due = null;
    this.draw();
    onNoted();
  }

  private putOff(): void {
    sessionStorage.setItem(LATER_KEY, String(Date.now() + LATER_MS));
    this.draw();
  }

  private draw(): void {
    const { words } = this;
    const now_ms = Date.now();
    const open = this.due !== null && this.due.due.length > 0 && now_ms >= Number(sessionStorage.getItem(LATER_KEY) ?? 0);
    this.question.hidden = !open;
    // On the journal's own page the timers themselves say it.
    if (location.pathname === "/journal") {
      this.place.hidden = true;
      return;
    }
    const kept = readTimers(localStorage.getItem(TIMERS_KEY));
    const timers = loadTimers(now_ms);
    const running = TIMERS.filter((name) => timers[name].ends_ms !== null);
    const link = this.clocks.parentElement as HTMLElement;
    link.hidden = running.length === 0;
    setText(this.clocks, running.map((name) => words.say("timer_left", { name: words.say(`timer_${name}`), left: timerText(left_ms(timers[name], now_ms)) })).join(" · "));
    const ended = TIMERS.filter((name) => timers[name].ends_ms === null && kept[name].ends_ms !== null);
    if (ended.length > 0) {
      storeTimers(timers);
      setText(this.over, ended.map((name) => words.say("timer_over", { name: words.say(`timer_${name}`) })).join(" "));
    }
    this.place.hidden = !open && running.length === 0 && this.over.textContent === "";
  }
}
