/** Buttons that do what the mouse does on the traces, for a keyboard and a thumb, and a line that tells which part is shown. */

import { h, setText } from "../dom";
import { spanTold } from "./format";
import { reach, shift, zoom, type Reach, type Span } from "./span";
import type { HistoryKey, HistoryWords } from "./words";

export class ZoomBar {
  readonly buttons: HTMLElement;
  readonly told = h("p", { class: "muted zoom-told", role: "status" });
  private readonly byKey: [way: keyof Reach, button: HTMLButtonElement][];
  private span: Span = { from_s: 0, to_s: 1 };
  private whole: Span = { from_s: 0, to_s: 1 };

  constructor(
    private readonly words: HistoryWords,
    private readonly look: (span: Span) => void,
  ) {
    const name = (key: HistoryKey): object => ({ "aria-label": words.say(key), title: words.say(key) });
    this.byKey = [
      ["closer", this.button("+", "closer", name("zoom_in"), () => this.zoom(0.5))],
      ["further", this.button("−", "further", name("zoom_out"), () => this.zoom(2))],
      ["earlier", this.button("‹", "earlier", name("zoom_left"), () => this.shift(-0.5))],
      ["later", this.button("›", "later", name("zoom_right"), () => this.shift(0.5))],
      ["further", this.button(words.say("zoom_whole"), "further", {}, () => this.showWhole())],
    ];
    this.buttons = h("div", { class: "pills zoom", role: "group", "aria-label": words.say("zoom_group") }, ...this.byKey.map(([, button]) => button));
  }

  /** What is looked at from now on. */
  show(span: Span, whole: Span): void {
    [this.span, this.whole] = [span, whole];
    const can = reach(span, whole);
    // Not `disabled`: a button that is disabled by its own press would take the focus away from whoever pressed it.
    for (const [way, button] of this.byKey) button.setAttribute("aria-disabled", String(!can[way]));
  }

  /** Told once it is drawn, so that who presses a button several times hears the last part only. */
  tell(detail: string): void {
    const { from, to, all } = spanTold(this.span, this.whole.to_s);
    setText(this.told, `${this.words.say("zoom_span", { from, to, all })}. ${detail}`);
  }

  zoom(factor: number): void {
    this.look(zoom(this.span, factor, this.whole));
  }

  shift(share: number): void {
    this.look(shift(this.span, share, this.whole));
  }

  showWhole(): void {
    this.look(this.whole);
  }

  private button(text: string, way: keyof Reach, name: object, act: () => void): HTMLButtonElement {
    const press = (): void => {
      if (reach(this.span, this.whole)[way]) act();
    };
    return h("button", { type: "button", class: "pill", ...name, click: press }, text);
  }
}
