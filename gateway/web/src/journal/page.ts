/** The journal's page: rate, note a run, time warm-up and stretching, look back, export, delete. Loaded when it is first looked at. */

import "./journal.css";
import { h, setText } from "../dom";
import { ask, AskError } from "../history/ask";
import type { Words } from "../text";
import { TrendChart } from "./chart";
import { EntryList } from "./list";
import { Rating } from "./rating";
import { RunForm } from "./runform";
import { TimersPanel } from "./timers";
import { JournalWords } from "./words";

const DAYS_SHOWN = 90;

export class JournalPage {
  private readonly words: JournalWords;
  private readonly trouble = h("div", { role: "alert" });
  private readonly told = h("p", { class: "told", role: "status" });
  private readonly next = h("p", { class: "muted" });
  private readonly heading: HTMLHeadingElement;
  private readonly content: HTMLElement;
  private readonly rating: Rating;
  private readonly timers: TimersPanel;
  private readonly chart: TrendChart;
  private readonly list: EntryList;
  private readonly sheet: HTMLDialogElement;
  private failed = false;

  /** `onChange` is told when something was noted or deleted. */
  constructor(
    words: Words,
    private readonly place: HTMLElement,
    private readonly onChange: () => void,
  ) {
    this.words = new JournalWords(words);
    const say = this.words.say.bind(this.words);
    const changed = (): void => {
      void this.load();
      this.onChange();
    };
    this.rating = new Rating(this.words, "journal-soreness", changed, { remarks: true });
    const run = new RunForm(this.words, () => {
      this.timers.use();
      changed();
    });
    this.timers = new TimersPanel(this.words, (name, minutes) => run.takeTimer(name, minutes), this.onChange);
    this.chart = new TrendChart(this.words);
    this.list = new EntryList(this.words, changed);
    this.sheet = this.buildSheet(changed);
    this.heading = h("h2", { tabindex: -1 }, say("title"));
    const card = (title: string | null, id: string, kind: string, ...parts: (Node | null)[]): HTMLElement =>
      h("section", { class: `card ${kind}`, "aria-labelledby": id }, title === null ? null : h("h3", { id }, title), ...parts);
    this.content = h(
      "div",
      { class: "journal" },
      h("header", { class: "head" }, this.heading, h("p", { class: "muted" }, say("private"))),
      this.trouble,
      h(
        "div",
        { class: "column" },
        card(say("entry_soreness"), "journal-rating", "ask", this.rating.element, this.next, h("p", { class: "muted small" }, say("soreness_when"))),
        card(say("run_title"), "journal-run", "note-run", run.element),
      ),
      h(
        "div",
        { class: "column" },
        card(say("timers_title"), "journal-timers", "clocks", this.timers.element),
        card(null, "trend-title", "look-back", this.chart.element),
      ),
      card(
        say("entries_title"),
        "journal-entries",
        "all",
        h(
          "div",
          { class: "actions" },
          h("button", { type: "button", click: () => void this.exportFile() }, say("export")),
          h("button", { type: "button", class: "quiet", click: () => this.sheet.show() }, say("delete_all")),
          this.told,
        ),
        this.list.element,
        h("p", { class: "muted small" }, say("load_help")),
      ),
      this.sheet,
    );
  }

  show(): void {
    this.place.replaceChildren(this.content);
    this.timers.draw();
    document.title = `${this.words.say("title")} · wavewrap`;
    this.heading.focus({ preventScroll: true });
    void this.load();
  }

  /** The server is back: what could not be read is read again. */
  wake(): void {
    if (this.failed && this.content.isConnected) void this.load();
  }

  private async load(): Promise<void> {
    this.content.setAttribute("aria-busy", "true");
    try {
      const journal = await ask("journal", { days: DAYS_SHOWN });
      this.failed = false;
      this.trouble.replaceChildren();
      this.rating.show(journal.due[0] ?? null);
      const { next_due_unix_s } = journal;
      setText(this.next, next_due_unix_s === null ? "" : this.words.say("next_due", { at: this.words.when(next_due_unix_s) }));
      this.chart.show(journal);
      this.list.show(journal);
    } catch (cause) {
      if (!(cause instanceof AskError)) throw cause;
      this.failed = true;
      this.trouble.replaceChildren(this.explain(cause));
    } finally {
      this.content.removeAttribute("aria-busy");
    }
  }

  private explain(cause: AskError): HTMLElement {
    const { words } = this;
    const what = cause.kind === "none" ? words.say("trouble_none") : cause.message || words.say("trouble_server");
    return h("section", { class: "card trouble" }, h("h3", {}, words.say("trouble")), h("p", {}, what), h("button", { type: "button", click: () => void this.load() }, words.say("again")));
  }

  private async exportFile(): Promise<void> {
    const { words } = this;
    try {
      const file = await ask("journal_export", {});
      const link = h("a", { href: `/file/${file.key}`, download: file.name });
      link.click();
      setText(this.told, words.say("exported"));
    } catch (cause) {
      if (!(cause instanceof AskError)) throw cause;
      setText(this.told, words.say("refused", { why: cause.message || words.say("trouble_server") }));
    }
  }

  private buildSheet(changed: () => void): HTMLDialogElement {
    const { words } = this;
    const remove = async (): Promise<void> => {
      try {
        await ask("journal_delete_all", { confirmed: true });
        setText(this.told, words.say("deleted_all"));
        changed();
      } catch (cause) {
        if (!(cause instanceof AskError)) throw cause;
        setText(this.told, words.say("refused", { why: cause.message || words.say("trouble_server") }));
      }
      sheet.close();
    };
    // Not modal, as every sheet of this page: STOP stays in reach.
    const sheet: HTMLDialogElement = h(
      "dialog",
      { class: "sheet", "aria-labelledby": "delete-journal" },
      h("h2", { id: "delete-journal" }, words.say("delete_all_title")),
      h("p", {}, words.say("delete_all_what")),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", class: "primary danger", click: () => void remove() }, words.say("delete_all_yes")),
        h("button", { type: "button", click: () => sheet.close() }, words.say("cancel")),
      ),
    );
    return sheet;
  }
}
