/** The form for a run. With both weights it says at once how much to drink. What was typed stays over a reload until it is noted. */

import { h, setText } from "../dom";
import { ask, AskError } from "../history/ask";
import { ML_PER_OZ, type WeightUnit } from "./hydration";
import { drinkOf, inputTime, readRun, type RunField, type RunText } from "./run";
import { Scale } from "./scale";
import type { JournalKey, JournalWords } from "./words";

const DRAFT_KEY = "wavewrap-run-draft";
const UNIT_KEY = "wavewrap-weight-unit";
const TYPED = ["minutes", "km", "before", "after", "warm_up", "stretch", "note"] as const;
type Typed = (typeof TYPED)[number];

export class RunForm {
  readonly element: HTMLFormElement;
  private readonly ended = h("input", { type: "datetime-local", required: true });
  private readonly typed: Record<Typed, HTMLInputElement>;
  private readonly effort: Scale;
  private readonly units: HTMLInputElement[];
  private readonly drink = h("output", { class: "drink" });
  private readonly told = h("p", { class: "told", role: "status" });

  constructor(
    private readonly words: JournalWords,
    private readonly onNoted: () => void,
  ) {
    const say = words.say.bind(words);
    const number = (): HTMLInputElement => h("input", { type: "text", inputmode: "decimal", autocomplete: "off", maxlength: 8 });
    this.typed = { minutes: number(), km: number(), before: number(), after: number(), warm_up: number(), stretch: number(), note: h("input", { type: "text", maxlength: 500 }) };
    this.effort = new Scale("run-effort", say("run_effort"), 1, 10, [say("run_effort_least"), say("run_effort_most")]);
    this.units = (["kg", "lb"] as const).map((unit) => h("input", { type: "radio", name: "weight-unit", value: unit, checked: unit === storedUnit() }));
    const field = (key: JournalKey, input: HTMLElement, kind = ""): HTMLElement => h("label", { class: `field ${kind}` }, h("span", {}, say(key)), input);
    this.element = h(
      "form",
      { class: "run", novalidate: true, submit: (event) => void this.save(event), input: () => this.update() },
      h("div", { class: "fields when" }, field("run_ended", this.ended, "wide"), field("run_minutes", this.typed.minutes), field("run_km", this.typed.km)),
      this.effort.element,
      h(
        "fieldset",
        { class: "weights" },
        h("legend", {}, say("run_weights")),
        h(
          "div",
          { class: "fields" },
          field("run_before", this.typed.before),
          field("run_after", this.typed.after),
          h("div", { class: "pills", role: "radiogroup", "aria-label": say("run_unit") }, ...this.units.map((box) => h("label", { class: "pill-choice" }, box, h("span", {}, box.value)))),
        ),
        this.drink,
      ),
      h("div", { class: "fields more" }, field("run_warm_up", this.typed.warm_up), field("run_stretch", this.typed.stretch), field("remark", this.typed.note, "wide")),
      h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, say("run_save")), this.told),
    );
    this.ended.value = inputTime(new Date());
    this.restoreDraft();
    this.update();
  }

  /** Minutes that a timer has measured, where nothing was typed. */
  takeTimer(name: "warm_up" | "stretch", minutes: number): void {
    const box = this.typed[name];
    if (box.value !== "") return;
    box.value = String(minutes);
    this.update();
  }

  private get unit(): WeightUnit {
    return this.units.find((box) => box.checked)?.value === "lb" ? "lb" : "kg";
  }

  private update(): void {
    const { words } = this;
    localStorage.setItem(UNIT_KEY, this.unit);
    localStorage.setItem(DRAFT_KEY, JSON.stringify(Object.fromEntries(TYPED.map((name) => [name, this.typed[name].value]))));
    const ml = drinkOf(this.typed.before.value, this.typed.after.value, this.unit);
    this.drink.classList.toggle("amount", ml !== null && ml > 0);
    if (ml === null) setText(this.drink, words.say("drink_rule"));
    else if (ml === 0) setText(this.drink, words.say("drink_none"));
    else setText(this.drink, words.say("drink", { l: words.number(ml / 1000, 1), oz: words.number(ml / ML_PER_OZ, 0) }));
  }

  private async save(event: Event): Promise<void> {
    event.preventDefault();
    const { words } = this;
    const read = readRun(this.text(), this.unit);
    for (const [name, box] of this.boxes()) {
      if ("wrong" in read && read.wrong === name) box.setAttribute("aria-invalid", "true");
      else box.removeAttribute("aria-invalid");
    }
    if ("wrong" in read) {
      setText(this.told, words.say(`run_wrong_${read.wrong}`));
      this.boxes().find(([name]) => name === read.wrong)?.[1].focus();
      return;
    }
    try {
      await ask("journal_add_run", read.body);
    } catch (cause) {
      if (!(cause instanceof AskError)) throw cause;
      setText(this.told, words.say("refused", { why: cause.message || words.say("trouble_server") }));
      return;
    }
    for (const name of TYPED) this.typed[name].value = "";
    this.effort.clear();
    this.ended.value = inputTime(new Date());
    const drink = this.drink.classList.contains("amount") ? ` ${this.drink.textContent ?? ""}` : "";
    this.update();
    setText(this.told, `${words.say("run_noted")}${drink}`);
    this.onNoted();
  }

  private text(): RunText {
    const typed = Object.fromEntries(TYPED.map((name) => [name, this.typed[name].value])) as Record<Typed, string>;
    return { ...typed, ended: this.ended.value, effort: String(this.effort.value ?? "") };
  }

  private boxes(): [RunField, HTMLInputElement][] {
    return [["ended", this.ended], ...TYPED.map((name): [RunField, HTMLInputElement] => [name, this.typed[name]])];
  }

  private restoreDraft(): void {
    const text = localStorage.getItem(DRAFT_KEY);
    if (text === null) return;
    try {
      const draft = JSON.parse(text) as Partial<Record<Typed, unknown>> | null;
      for (const name of TYPED) if (typeof draft?.[name] === "string") this.typed[name].value = draft[name];
    } catch {
      localStorage.removeItem(DRAFT_KEY);
    }
  }
}

function storedUnit(): WeightUnit {
  return localStorage.getItem(UNIT_KEY) === "lb" ? "lb" : "kg";
}
