/** Asks now and then whether the recovery journal has a question, and shows it as one line on the live page, never over anything. */

import { h } from "./dom";
import { ask, AskError } from "./history/ask";
import type { Due } from "./journal/entries";
import type { JournalNotice } from "./journal/notice";
import type { Words } from "./text";

/** Choice: what is live comes first; the first ask also starts a process. */
const FIRST_MS = 3_000;
/** Choice: by then the store has heard of a session that has begun or ended. */
const SESSION_MS = 4_000;
const HOUR_MS = 3_600_000;

/** When to ask again: when the next question falls due, or within the hour for what was noted elsewhere. */
export function nextLook_ms(due: Due): number {
  const next_ms = due.next_due_unix_s === null ? HOUR_MS : (due.next_due_unix_s - due.now_unix_s) * 1000 + 1_000;
  return Math.min(HOUR_MS, Math.max(5_000, next_ms));
}

/** Without reading it in full: that is done by what is loaded then. */
function isTimerRunning(): boolean {
  return /"ends_ms":\d/.test(localStorage.getItem("wavewrap-timers") ?? "");
}

export class JournalCorner {
  /** on the live page only */
  readonly question = h("div");
  readonly element = h("div", { class: "corner", hidden: true }, this.question);
  private notice: JournalNotice | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private plays: boolean | null = null;
  /** whether this dashboard has no journal */
  private none = false;

  constructor(private readonly words: Words) {}

  /** Called with each drawing: whether a session runs. */
  watch(plays: boolean): void {
    if (this.none || this.plays === plays) return;
    this.lookIn(this.plays === null ? FIRST_MS : SESSION_MS);
    this.plays = plays;
  }

  /** Something was noted or deleted. */
  lookSoon(): void {
    this.lookIn(0);
  }

  private lookIn(delay_ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look(), delay_ms);
  }

  private async look(): Promise<void> {
    let due: Due | null = null;
    try {
      due = await ask("journal_due", {});
    } catch (cause) {
      // The journal's own page says what is wrong with it; here nothing is asked.
      if (!(cause instanceof AskError)) throw cause;
      this.none = cause.kind === "none";
    }
    if (this.none) return;
    this.lookIn(due === null ? HOUR_MS : nextLook_ms(due));
    if (this.notice === null && (due?.due.length ?? 0) === 0 && !isTimerRunning()) return;
    if (this.notice === null) {
      try {
        const { JournalNotice } = await import("./journal/notice");
        this.notice ??= new JournalNotice(this.words, this.element, this.question, () => this.lookSoon());
      } catch {
        return; // the server is gone, or another version of it has other files: the page says so already
      }
    }
    this.notice.show(due);
  }
}
