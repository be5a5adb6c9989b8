/** What every page of the history is made on: it reads, says that it reads, and says why it could not; then tries again when asked or when the server is back. */

import { h } from "../dom";
import { AskError } from "./ask";
import type { HistoryKey, HistoryWords } from "./words";

/** What outlives a page: `chosen` are the sessions ticked for a comparison, `notice` is for the next page. */
export interface Shared {
  words: HistoryWords;
  go: (address: string) => void;
  chosen: Set<string>;
  notice: string | null;
}

const KINDS = ["store", "service", "busy", "usage", "none", "forbidden", "server"];

export abstract class View {
  readonly element = h("div", { class: "view" });
  onTitle: (title: string) => void = () => undefined;
  abstract readonly title: string;
  protected readonly trouble = h("div", { role: "alert" });
  protected closed = false;
  private failed = false;

  constructor(protected readonly shared: Shared) {
    this.element.append(this.trouble);
  }

  protected get words(): HistoryWords {
    return this.shared.words;
  }

  /** Reads what is shown. Throws `AskError`. */
  protected abstract read(): Promise<void>;

  /** Colours have changed. */
  abstract restyle(): void;

  start(): void {
    void this.load();
  }

  close(): void {
    this.closed = true;
  }

  wake(): void {
    if (this.failed) void this.load();
  }

  protected async load(): Promise<void> {
    this.element.setAttribute("aria-busy", "true");
    try {
      await this.read();
      this.failed = false;
      this.trouble.replaceChildren();
    } catch (cause) {
      if (!(cause instanceof AskError)) throw cause;
      this.failed = true;
      this.trouble.replaceChildren(this.explain(cause));
    } finally {
      this.element.removeAttribute("aria-busy");
    }
  }

  /** An error as a card, with what to do. */
  protected explain(cause: AskError): HTMLElement {
    const { words } = this;
    const kind = KINDS.includes(cause.kind) ? cause.kind : "service";
    const what = kind === "none" || kind === "server" ? words.say(`trouble_${kind}_what` as HistoryKey) : cause.message;
    const again = kind === "none" ? null : h("button", { type: "button", click: () => void this.load() }, words.say("again"));
    return h("section", { class: "card trouble" }, h("h3", {}, words.say(`trouble_${kind}` as HistoryKey)), h("p", {}, what), again);
  }
}

/** A select with a label. */
export function choice(label: string, options: [value: string, text: string][], value: string, change: (value: string) => void): HTMLElement {
  const select = h(
    "select",
    { change: () => change(select.value) },
    ...options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)),
  );
  return h("label", { class: "field" }, h("span", {}, label), select);
}
