/** What STOP has come to. Pure. "Vented" is said by the pressures alone, never by an answer. */

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
  private since_ms = 0;

  press(now_ms: number): void {
    this.step = "asked";
    this.pressed_ms = now_ms;
    this.since_ms = now_ms;
  }

  answer(ok: boolean, now_ms: number): void {
    if (this.step !== "asked") return;
    this.step = ok ? "acknowledged" : "failed";
    this.since_ms = now_ms;
  }

  /** `vented`: whether every chamber of every wrap is measured vented, just now; null when nothing is measured, which proves nothing. */
  tick(now_ms: number, vented: boolean | null): void {
    const age_ms = now_ms - this.since_ms;
    if (this.step === "asked" && age_ms > ANSWER_MS) this.step = "failed";
    else if ((this.step === "acknowledged" || this.step === "failed") && vented === true && age_ms > SETTLE_MS) this.move("vented", now_ms);
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
