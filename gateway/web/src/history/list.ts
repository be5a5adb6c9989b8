/** All sessions: by calendar, by list, filtered, page by page. What is chosen stands in the address, so that back comes back to it. */

import { h, setText } from "../dom";
import { ask, type Filter, type SessionLine, type Sessions, type State } from "./ask";
import { Calendar, mark } from "./calendar";
import { dateTime, dayStart_s, length } from "./format";
import { choice, View } from "./view";

const PAGE = 50;
const STATES: State[] = ["completed", "stopped", "faulted", "interrupted", "running"];

export class ListView extends View {
  readonly title = this.words.say("title");
  private readonly asked = new URLSearchParams(location.search);
  private readonly filters = h("form", { class: "filters" });
  private readonly rows = h("ol", { class: "sessions" });
  private readonly paging = h("div", { class: "paging" });
  private readonly count = h("p", { class: "muted", role: "status" });
  private readonly compare = h("button", { type: "button", disabled: true, click: () => this.goCompare() }, this.words.say("compare"));
  private readonly compareHow = h("span", { class: "muted" });
  private readonly board = h("div", { class: "board", hidden: true });
  private calendar: Calendar | null = null;
  private reading = 0;

  override restyle(): void {
    // Nothing here is drawn on a canvas.
  }

  protected override async read(): Promise<void> {
    const number = ++this.reading;
    if (this.calendar === null) setText(this.count, this.words.say("loading"));
    if (!this.element.contains(this.count)) this.element.append(this.count, this.board);
    const page = Math.max(0, Number(this.asked.get("page") ?? 0) || 0);
    const answer = await ask("sessions", { ...this.filter(), ...this.days(), limit: PAGE, offset: page * PAGE });
    if (this.closed || number !== this.reading) return;
    if (answer.oldest_unix_s === null) {
      setText(this.count, "");
      const { words } = this;
      this.element.replaceChildren(
        this.trouble,
        h("section", { class: "card empty" }, h("h3", {}, words.say("empty")), h("p", {}, words.say("empty_what")), h("a", { class: "button primary", href: "/" }, words.say("to_live"))),
      );
      return;
    }
    this.build(answer);
    await this.calendar?.setFilter(this.filter(), this.oneDay());
    this.draw(answer, page);
  }

  /** Once: the frame around the list. */
  private build(answer: Sessions): void {
    if (this.calendar !== null) return;
    const { words } = this;
    const newest = new Date((answer.newest_unix_s ?? 0) * 1000);
    const from_s = dayStart_s(this.asked.get("from") ?? "");
    this.calendar = new Calendar(words, from_s === null ? newest : new Date(from_s * 1000), newest, this.filter(), this.oneDay(), (day) => this.set({ from: day, to: day }));
    this.filters.addEventListener("submit", (event) => event.preventDefault());
    this.fillFilters(answer);
    this.board.append(
      h("div", { class: "aside" }, this.calendar.element, this.folded()),
      h(
        "section",
        { class: "card", "aria-label": words.say("list") },
        h("div", { class: "bar" }, this.count, h("span", { class: "comparing" }, this.compareHow, this.compare)),
        this.rows,
        this.paging,
      ),
    );
    this.board.hidden = false;
  }

  /** On a phone the list comes first: filters fold, unless one is set. */
  private folded(): HTMLElement {
    const open = matchMedia("(min-width: 900px)").matches || ["program", "wrap", "state", "from", "to"].some((key) => this.asked.has(key));
    return h("details", { class: "card", open }, h("summary", {}, this.words.say("filters")), this.filters);
  }

  private fillFilters(answer: Sessions): void {
    const { words } = this;
    const any: [string, string] = ["", words.say("all")];
    const pick = (key: string, label: string, options: [string, string][]): HTMLElement => choice(label, [any, ...options], this.asked.get(key) ?? "", (value) => this.set({ [key]: value }));
    const day = (key: string, label: string): HTMLElement => {
      const input = h("input", { type: "date", name: key, value: this.asked.get(key) ?? "", change: () => this.set({ [key]: input.value }) });
      return h("label", { class: "field" }, h("span", {}, label), input);
    };
    this.filters.setAttribute("aria-label", words.say("filters"));
    this.filters.replaceChildren(
      pick("program", words.say("program"), answer.programs.map((name) => [name, name])),
      pick("wrap", words.say("wrap"), answer.wraps.map((name) => [name, name])),
      pick("state", words.say("state"), STATES.map((state) => [state, words.sayOf("state", state)])),
      day("from", words.say("from")),
      day("to", words.say("until")),
      h("button", { type: "button", class: "quiet", click: () => this.set({ program: "", wrap: "", state: "", from: "", to: "" }) }, words.say("reset")),
    );
  }

  private filter(): Filter {
    const read = (key: string): string | null => this.asked.get(key) || null;
    return { program: read("program"), wrap: read("wrap"), state: STATES.includes(read("state") as State) ? read("state") : null };
  }

  private days(): Filter {
    return { from_unix_s: dayStart_s(this.asked.get("from") ?? ""), until_unix_s: dayStart_s(this.asked.get("to") ?? "", 1) };
  }

  private oneDay(): string {
    const from = this.asked.get("from") ?? "";
    return from === this.asked.get("to") ? from : "";
  }

  private set(values: Record<string, string>): void {
    if (!("page" in values)) this.asked.delete("page");
    for (const [key, value] of Object.entries(values)) {
      if (value === "") this.asked.delete(key);
      else this.asked.set(key, value);
      const field = this.filters.querySelector<HTMLInputElement>(`input[name="${key}"]`);
      if (field !== null) field.value = value;
    }
    if (Object.values(values).every((value) => value === "")) for (const select of this.filters.querySelectorAll("select")) select.value = "";
    const search = this.asked.toString();
    history.replaceState(null, "", `/history${search === "" ? "" : `?${search}`}`);
    void this.load();
  }

  private draw(answer: Sessions, page: number): void {
    const { words } = this;
    const first = page * PAGE;
    const shown = answer.sessions.length;
    const counted = answer.total === 1 ? words.say("count_one") : words.say("count", { n: answer.total });
    setText(this.count, shown === 0 ? words.say("empty_filter") : counted);
    this.rows.replaceChildren(...answer.sessions.map((one) => this.row(one)));
    const turn = (to: number, key: "newer" | "older"): HTMLElement => h("button", { type: "button", click: () => this.set({ page: to === 0 ? "" : String(to) }) }, words.say(key));
    this.paging.replaceChildren(
      ...(answer.total > PAGE
        ? [
            page > 0 ? turn(page - 1, "newer") : "",
            h("span", { class: "muted" }, words.say("count_of", { first: first + 1, last: first + shown, all: answer.total })),
            first + shown < answer.total ? turn(page + 1, "older") : "",
          ]
        : []),
    );
    this.tellCompare();
  }

  private row(one: SessionLine): HTMLElement {
    const { words } = this;
    const when = dateTime(one.started_unix_s, words.language);
    const tick = h("input", {
      type: "checkbox",
      checked: this.shared.chosen.has(one.session),
      "aria-label": words.say("choose", { when }),
      change: () => {
        if (tick.checked) this.shared.chosen.add(one.session);
        else this.shared.chosen.delete(one.session);
        this.tellCompare();
      },
    });
    const lasted = one.ended_unix_s === null ? words.say("planned", { length: length(one.planned_s) }) : length(one.ended_unix_s - one.started_unix_s);
    const wraps = one.wraps.map((wrap) => wrap.id).join(", ");
    return h(
      "li",
      {},
      h("label", { class: "tick" }, tick),
      h(
        "a",
        { href: `/history/${one.session}` },
        h("span", { class: "when" }, when),
        h("span", { class: "what" }, h("strong", {}, one.program), h("small", {}, wraps)),
        h("span", { class: "lasted" }, lasted),
        stateBadge(one.state, words.sayOf("state", one.state)),
      ),
    );
  }

  private tellCompare(): void {
    const chosen = this.shared.chosen.size;
    this.compare.disabled = chosen !== 2;
    setText(this.compareHow, chosen === 1 ? this.words.say("compare_one_more") : chosen === 2 ? "" : this.words.say("compare_how"));
  }

  private goCompare(): void {
    const [one, other] = [...this.shared.chosen].sort();
    this.shared.chosen.clear();
    // The newer one is A: names begin with their time.
    this.shared.go(`/compare?one=${other}&other=${one}`);
  }
}

/** How a session ended, in colour, shape and words. */
export function stateBadge(state: State, text: string): HTMLElement {
  return h("span", { class: `state state-${state}` }, mark(state), text);
}
