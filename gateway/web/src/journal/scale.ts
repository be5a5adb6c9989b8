/** A scale of numbers to choose one from: radio buttons, so arrow keys and screen readers work as everywhere, and large enough for a thumb. */

import { h } from "../dom";

export class Scale {
  readonly element: HTMLFieldSetElement;
  private readonly boxes: HTMLInputElement[];

  /** `label` is its question; `ends` are the words of its first and last number. */
  constructor(name: string, label: string, from: number, to: number, ends: [least: string, most: string], private readonly onChoose: () => void = () => undefined) {
    const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    this.boxes = numbers.map((n) => {
      const end = n === from ? ends[0] : n === to ? ends[1] : undefined;
      return h("input", { type: "radio", name, value: n, "aria-label": end ?? String(n), change: () => this.onChoose() });
    });
    const steps = numbers.map((n, i) => h("label", {}, this.boxes[i] as HTMLInputElement, h("span", {}, String(n))));
    this.element = h(
      "fieldset",
      { class: "scale" },
      h("legend", {}, label),
      h("div", { class: numbers.length % 5 === 0 ? "steps fives" : "steps" }, ...steps),
      h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, ends[0]), h("span", {}, ends[1])),
    );
  }

  get value(): number | null {
    const chosen = this.boxes.find((box) => box.checked);
    return chosen === undefined ? null : Number(chosen.value);
  }

  clear(): void {
    for (const box of this.boxes) box.checked = false;
  }

  focus(): void {
    (this.boxes.find((box) => box.checked) ?? this.boxes[0])?.focus();
  }
}
