/** A month of sessions: a mark in each day for each session, the day itself chooses it. */

import { h } from "../dom";
import { ask, type Filter, type SessionLine, type State } from "./ask";
import { dayKey, dayStart_s, longDate } from "./format";
import { firstWeekday, weekdays, weeksOf } from "./month";
import type { HistoryWords } from "./words";

/** More marks than this in a day are told as a number. */
const MARKS_MAX = 3;
/** As many as one answer has; a month with more shows the newest. */
const SESSIONS_MAX = 1000;

export class Calendar {
  readonly element = h("section", { class: "card calendar" });
  private month: Date;
  private asked = 0;

  /** `day` is the chosen one, "" for none; `choose` is told another. */
  constructor(
    private readonly words: HistoryWords,
    month: Date,
    private readonly newest: Date,
    private filter: Filter,
    private day: string,
    private readonly choose: (day: string) => void,
  ) {
    this.element.setAttribute("aria-label", words.say("calendar"));
    this.month = new Date(month.getFullYear(), month.getMonth(), 1);
  }

  setFilter(filter: Filter, day: string): Promise<void> {
    this.filter = filter;
    this.day = day;
    return this.read();
  }

  /** Throws `AskError`. */
  async read(): Promise<void> {
    const number = ++this.asked;
    const first = firstWeekday(this.words.language);
    const weeks = weeksOf(this.month.getFullYear(), this.month.getMonth(), first);
    const begin = (weeks[0] as Date[])[0] as Date;
    const end = (weeks[weeks.length - 1] as Date[])[6] as Date;
    const answer = await ask("sessions", {
      ...this.filter,
      from_unix_s: dayStart_s(dayKey(begin)),
      until_unix_s: dayStart_s(dayKey(end), 1),
      limit: SESSIONS_MAX,
    });
    if (number !== this.asked) return;
    const byDay = new Map<string, SessionLine[]>();
    for (const one of answer.sessions) {
      const key = dayKey(new Date(one.started_unix_s * 1000));
      byDay.set(key, [one, ...(byDay.get(key) ?? [])]);
    }
    this.draw(weeks, first, byDay);
  }

  private draw(weeks: Date[][], first: number, byDay: Map<string, SessionLine[]>): void {
    const { words } = this;
    const focused = (document.activeElement as HTMLElement | null)?.dataset.move;
    const move = (by: number, sign: string, key: "month_before" | "month_after"): HTMLElement =>
      h("button", { type: "button", class: "quiet", "data-move": key, "aria-label": words.say(key), title: words.say(key), click: () => this.turn(by) }, sign);
    const heads = weekdays(words.language, first).map((day) => h("th", { scope: "col", abbr: day.long }, day.short));
    this.element.replaceChildren(
      h(
        "div",
        { class: "month" },
        move(-1, "‹", "month_before"),
        h("h3", { "aria-live": "polite" }, this.month.toLocaleDateString(words.language, { month: "long", year: "numeric" })),
        move(1, "›", "month_after"),
      ),
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...heads)),
        h("tbody", {}, ...weeks.map((week) => h("tr", {}, ...week.map((day) => this.cell(day, byDay.get(dayKey(day)) ?? []))))),
      ),
      h("ul", { class: "key" }, ...(["completed", "stopped", "faulted"] as State[]).map((state) => h("li", {}, mark(state), words.sayOf("state", state)))),
      h("button", { type: "button", class: "quiet newest", "data-move": "newest", click: () => this.turnTo(this.newest) }, words.say("month_newest")),
    );
    if (focused !== undefined) this.element.querySelector<HTMLElement>(`[data-move="${focused}"]`)?.focus();
  }

  private cell(day: Date, sessions: SessionLine[]): HTMLElement {
    const { words } = this;
    const key = dayKey(day);
    const classes = [day.getMonth() === this.month.getMonth() ? "" : "outside", key === dayKey(new Date()) ? "today" : ""].join(" ").trim();
    const number = h("span", {}, String(day.getDate()));
    if (sessions.length === 0) return h("td", { class: classes }, h("div", { class: "day" }, number));
    const marks = sessions.length > MARKS_MAX ? [h("b", {}, String(sessions.length))] : sessions.map((one) => mark(one.state));
    const name = longDate(day, words.language);
    const label = sessions.length === 1 ? words.say("day_session", { day: name }) : words.say("day_sessions", { day: name, n: sessions.length });
    return h(
      "td",
      { class: classes },
      h(
        "button",
        { type: "button", class: "day", "data-move": key, "aria-pressed": String(key === this.day), "aria-label": label, title: label, click: () => this.choose(key === this.day ? "" : key) },
        number,
        h("span", { class: "marks" }, ...marks),
      ),
    );
  }

  private turn(months: number): void {
    this.turnTo(new Date(this.month.getFullYear(), this.month.getMonth() + months, 1));
  }

  private turnTo(month: Date): void {
    this.month = new Date(month.getFullYear(), month.getMonth(), 1);
    // The list says what is wrong where this fails, for it asks the same service.
    void this.read().catch(() => undefined);
  }
}

/** A dot, a ring or a triangle: shape says what colour says. */
export function mark(state: State): HTMLElement {
  return h("i", { class: `mark-${state === "faulted" || state === "interrupted" ? "bad" : state === "completed" ? "good" : "other"}`, "aria-hidden": "true" });
}
