/** The entries day by day, with the sessions between them. An entry is deleted by two presses. */

import { h, setText } from "../dom";
import { ask, AskError } from "../history/ask";
import { byDay, lineTime_s, type Journal, type Line } from "./entries";
import type { JournalWords } from "./words";

/** Choice: long enough to read the question, short enough that a later press by mistake asks again. */
const SURE_MS = 4000;

export class EntryList {
  readonly element: HTMLElement;
  private readonly days: HTMLElement;
  private readonly told = h("p", { class: "told", role: "status" });

  constructor(
    private readonly words: JournalWords,
    private readonly onDeleted: () => void,
  ) {
    this.days = h("div", { class: "days" }, h("p", { class: "muted" }, words.say("loading")));
    this.element = h("div", {}, this.told, this.days);
  }

  show(journal: Journal): void {
    const { words } = this;
    const dayOf = (unix_s: number): string => new Date(unix_s * 1000).toLocaleDateString(words.language, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
    const days = byDay(journal, dayOf).map(({ day, lines }) => h("section", { class: "day" }, h("h4", {}, day), h("ul", {}, ...lines.map((line) => this.row(line)))));
    this.days.replaceChildren(...(days.length > 0 ? days : [h("p", { class: "muted" }, words.say("entries_none"))]));
  }

  private row(line: Line): HTMLElement {
    const { words } = this;
    const figures = this.figures(line);
    const note = line.kind === "session" || line.note === "" ? null : h("q", {}, line.note);
    const program = line.kind === "session" ? `: ${line.program.replaceAll("-", " ")}` : "";
    return h(
      "li",
      { class: `entry ${line.kind}` },
      h("time", {}, words.time(lineTime_s(line))),
      h("div", { class: "what" }, h("strong", {}, `${words.say(`entry_${line.kind}`)}${program}`), h("span", { class: "figures" }, ...figures.map((text) => h("span", {}, text))), note),
      line.kind === "session" ? null : this.deleteButton(line.entry, lineTime_s(line)),
    );
  }

  private figures(line: Line): string[] {
    const { words } = this;
    const say = words.say.bind(words);
    if (line.kind === "soreness") return [String(line.soreness)];
    if (line.kind === "session") {
      const { before, after, hours_24, hours_48 } = line.soreness;
      const rated = ([["entry_before", before], ["entry_after", after], ["entry_24_h", hours_24], ["entry_48_h", hours_48]] as const).filter(([, n]) => n !== null);
      return rated.length === 0 ? [say("entry_unrated")] : rated.map(([key, n]) => say(key, { n: n ?? "" }));
    }
    const kg = (weight: number): string => words.number(weight, 1);
    const parts = [
      say("entry_minutes", { n: words.number(line.duration_s / 60, 0) }),
      line.distance_m === null ? null : say("entry_km", { n: words.number(line.distance_m / 1000, 1) }),
      line.effort === null ? null : say("entry_effort", { n: line.effort }),
      line.load_min === null ? null : say("entry_load", { n: words.number(line.load_min, 0) }),
      line.weight_before_kg === null || line.weight_after_kg === null ? null : say("entry_weights", { before: kg(line.weight_before_kg), after: kg(line.weight_after_kg) }),
      line.drink_ml === null || line.drink_ml === 0 ? null : say("entry_drink", { l: words.number(line.drink_ml / 1000, 1) }),
      line.warm_up_s === null ? null : say("entry_warm_up", { n: words.number(line.warm_up_s / 60, 0) }),
      line.stretch_s === null ? null : say("entry_stretch", { n: words.number(line.stretch_s / 60, 0) }),
    ];
    return parts.filter((part) => part !== null);
  }

  private deleteButton(entry: string, unix_s: number): HTMLElement {
    const { words } = this;
    const button = h("button", { type: "button", class: "quiet", "aria-label": words.say("entry_delete_what", { at: words.when(unix_s) }), click: () => press() }, words.say("entry_delete"));
    let sure = false;
    const press = (): void => {
      if (sure) {
        void this.remove(entry);
        return;
      }
      sure = true;
      button.classList.add("sure");
      button.removeAttribute("aria-label");
      setText(button, words.say("entry_delete_sure"));
      setTimeout(() => {
        sure = false;
        button.classList.remove("sure");
        button.setAttribute("aria-label", words.say("entry_delete_what", { at: words.when(unix_s) }));
        setText(button, words.say("entry_delete"));
      }, SURE_MS);
    };
    return button;
  }

  private async remove(entry: string): Promise<void> {
    const { words } = this;
    try {
      await ask("journal_delete", { entry });
      setText(this.told, words.say("entry_deleted"));
    } catch (cause) {
      if (!(cause instanceof AskError)) throw cause;
      setText(this.told, words.say("refused", { why: cause.message || words.say("trouble_server") }));
    }
    this.onDeleted();
  }
}
