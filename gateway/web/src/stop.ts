/** What STOP has come to. Pure. "Vented" is said by the pressures alone, never by an answer. */

import type { Outcome } from "./gateways";
import type { Model } from "./model";

export type StopStep = "idle" | "asked" | "acknowledged" | "vented" | "failed";

/** No answer for this long: it has not got through. The gateway answers a stop at once. */
export const ANSWER_MS = 3000;
/** "Vented" stays readable for this long, then the button is what it was. */
export const SHOWN_MS = 6000;
/** What was measured before the answer could be on its way is no proof. */
export const SETTLE_MS = 300;
/** Longer than a chamber takes to empty: then the page says so. */
export const SLOW_MS = 12000;

export class Stop {
  step: StopStep = "idle";
  pressed_ms = 0;
  /** the gateways that it has not got to, while others have it: said until they are vented, or it is pressed again; `step` is of the others */
  missed: readonly Model[] = [];
  reached: readonly Model[] = [];
  private since_ms = 0;

  press(now_ms: number): void {
    this.move("asked", now_ms);
    this.pressed_ms = now_ms;
    this.missed = [];
  }

  /** What is known of it by now. */
  answer({ reached, missed, waiting }: Outcome, now_ms: number): void {
    if (this.step === "asked") {
      if (waiting.length > 0 && now_ms - this.since_ms <= ANSWER_MS) return;
      this.missed = reached.length === 0 ? [] : [...missed, ...waiting];
      this.move(reached.length === 0 ? "failed" : "acknowledged", now_ms);
    } else {
      const still = this.missed.filter((model) => !reached.includes(model));
      if (still.length === this.missed.length) return;
      // It answers late: whether it vents is still to be seen.
      this.missed = still;
      this.move("acknowledged", now_ms);
    }
    this.reached = reached;
  }

  /**
   * `vented`: whether every chamber of every wrap, but for those of `missed`, is measured vented, just now; null when nothing is measured,
   * which proves nothing. `missedVented`: the same of those.
   */
  tick(now_ms: number, vented: boolean | null, missedVented: boolean | null = null): void {
    const age_ms = now_ms - this.since_ms;
    if (missedVented === true && age_ms > SETTLE_MS) this.missed = [];
    if ((this.step === "acknowledged" || this.step === "failed") && vented === true && age_ms > SETTLE_MS) this.move("vented", now_ms);
    else if (this.step === "vented" && (age_ms > SHOWN_MS || vented === false)) this.move("idle", now_ms);
  }

  isSlow(now_ms: number): boolean {
    return this.step === "acknowledged" && now_ms - this.since_ms > SLOW_MS;
  }

  private move(step: StopStep, now_ms: number): void {
    this.step = step;
    this.since_ms = now_ms;
  }
}

/** Escape, or Ctrl+Shift+E: everywhere, in a text field and in an open dialog too. */
export function isStopKey(event: { key: string; ctrlKey: boolean; shiftKey: boolean; isComposing?: boolean }): boolean {
  return event.key === "Escape" || (event.ctrlKey && event.shiftKey && event.key.toLowerCase() === "e");
}
