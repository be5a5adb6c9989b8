/** Before a session, and its start: what speaks against it, the questions of today, the program, the wraps. No answer, no start. */

import { h } from "./dom";
import type { Json, Model, Wrap } from "./model";
import { showPreview, type Preview } from "./preview";
import type { Asker } from "./socket";
import type { Key, Words } from "./text";

interface Program {
  name: string;
  title: string;
  description: string;
  duration_min: number;
  pressure_mmhg: number;
  preview: Preview | null;
  unfit: string | null;
}

export const QUESTIONS = ["pain", "swelling", "bruising", "stopped_running"] as const;
type Question = (typeof QUESTIONS)[number];
export type Answers = Partial<Record<Question, boolean>>;

/** What the answers allow: `ask` while one is missing, `no` when one is yes. */
export function judge(read: boolean, answers: Answers): "ask" | "no" | "go" {
  if (QUESTIONS.some((one) => answers[one] === true)) return "no";
  return read && QUESTIONS.every((one) => answers[one] === false) ? "go" : "ask";
}

const READ_KEY = "wavewrap-contraindications-read";

/** What says whether the pressures rise, once the start was acknowledged. */
const MEASURED_MMHG = 10;

export class StartDialog {
  readonly element: HTMLDialogElement;
  private readonly body = h("div", { class: "step" });
  private answers: Answers = {};
  private read = false;
  private waiting: string[] | null = null;
  private told: HTMLElement | null = null;

  constructor(
    private readonly words: Words,
    private readonly gateway: Asker,
    private readonly model: Model,
    /** before each id, so that the dialogs of two gateways do not share one */ private readonly key: string,
  ) {
    this.element = h(
      "dialog",
      { class: "sheet", "aria-labelledby": `${key}start-title` },
      this.body,
      h("button", { type: "button", class: "quiet close", click: () => this.element.close() }, words.say("close")),
    );
  }

  open(): void {
    this.answers = {};
    // The list is read once by each person with this browser; the questions of today are asked each time.
    this.read = localStorage.getItem(READ_KEY) === "yes";
    this.waiting = null;
    if (this.model.hello?.check_before_start === false) void this.showChoice();
    else this.showCheck();
    this.element.show();
  }

  /** Looks whether what was acknowledged is measured too. */
  tick(now_ms: number): void {
    const { waiting } = this;
    if (waiting === null || this.told === null) return;
    const rises = waiting.every((name) => {
      const wrap = this.model.wraps.get(name);
      return wrap !== undefined && !wrap.isStale(now_ms) && Math.max(...wrap.latest(now_ms)) > MEASURED_MMHG;
    });
    if (!rises) return;
    this.told.textContent = this.words.say("start_measured");
    this.waiting = null;
    setTimeout(() => this.element.close(), 1200);
  }

  private showCheck(): void {
    const { words } = this;
    const next = h("button", { type: "button", class: "primary", disabled: true, click: () => void this.goOn() }, words.say("next"));
    const update = (): void => {
      next.disabled = judge(this.read, this.answers) === "ask";
    };
    const readBox = h("input", {
      type: "checkbox",
      id: `${this.key}check-read`,
      change: (event) => {
        this.read = (event.target as HTMLInputElement).checked;
        update();
      },
    });
    const contra = h("ul", {}, ...Array.from({ length: 8 }, (_, i) => h("li", {}, words.say(`check_contra_${i + 1}` as Key))));
    const list = this.read
      ? h("details", {}, h("summary", {}, words.say("check_contra")), contra)
      : h("div", {}, h("p", {}, words.say("check_contra")), contra, h("label", { class: "tick", for: `${this.key}check-read` }, readBox, words.say("check_read")));
    const question = (name: Question): HTMLElement => {
      const answer = (value: boolean): HTMLElement =>
        h(
          "label",
          { class: "answer" },
          h("input", {
            type: "radio",
            name: `${this.key}check-${name}`,
            value: String(value),
            change: () => {
              this.answers = { ...this.answers, [name]: value };
              update();
            },
          }),
          words.say(value ? "yes" : "no"),
        );
      return h("fieldset", {}, h("legend", {}, words.say(`check_${name}` as Key)), answer(true), answer(false));
    };
    this.show(
      words.say("check_title"),
      h("p", { class: "muted" }, words.say("check_intro")),
      list,
      h("h3", {}, words.say("check_today")),
      h("div", { class: "questions" }, ...QUESTIONS.map(question)),
      h("div", { class: "actions" }, next),
    );
  }

  private async goOn(): Promise<void> {
    const { words } = this;
    if (judge(this.read, this.answers) === "no") {
      this.show(
        words.say("check_no_session"),
        h("p", {}, words.say("check_no_session_what")),
        h("ul", {}, ...(["check_grade_1", "check_grade_2", "check_grade_3"] as const).map((key) => h("li", {}, words.say(key)))),
        h("p", {}, words.say("check_lasting")),
      );
      return;
    }
    localStorage.setItem(READ_KEY, "yes");
    await this.showChoice();
  }

  private async showChoice(): Promise<void> {
    const { words } = this;
    this.show(words.say("choose_title"), h("p", { role: "status" }, words.say("choose_loading")));
    const chambers = this.ready()[0]?.chambers ?? 0;
    const answer = await this.gateway.ask("programs", chambers > 0 ? { chambers } : {});
    if (!answer.ok) {
      this.show(words.say("choose_title"), h("p", { role: "alert" }, words.say("refused", { why: words.sayOf("fail", answer.why ?? "") })));
      return;
    }
    this.showPrograms(((answer.value as Json).data as { programs: Program[] }).programs);
  }

  private ready(): Wrap[] {
    return this.model.sorted().filter((wrap) => wrap.state?.link === "ready" && !wrap.plays);
  }

  private showPrograms(programs: Program[]): void {
    const { words } = this;
    const ready = this.ready();
    const fit = programs.filter((one) => one.unfit === null);
    let chosen = fit.find((one) => one.name === "calf-wave") ?? fit[0];
    const about = h("p", { class: "muted" });
    const curve = h("div");
    const minutes = h("output", { for: `${this.key}choose-duration` });
    const duration = h("input", { type: "range", id: `${this.key}choose-duration`, min: 1, max: 60, step: 1, input: () => showMinutes() });
    const showMinutes = (): void => {
      minutes.textContent = words.say("choose_minutes", { min: duration.value });
    };
    const choose = (program: Program): void => {
      chosen = program;
      about.textContent = program.description;
      const limits = h("p", { class: "muted" }, words.say("choose_limits", { mmhg: Math.round(program.pressure_mmhg) }));
      curve.replaceChildren(program.preview === null ? limits : showPreview(program.preview, words));
      duration.value = String(Math.max(1, Math.round(program.duration_min)));
      showMinutes();
    };
    const options = programs.map((program) =>
      h(
        "label",
        { class: "option" },
        h("input", { type: "radio", name: `${this.key}program`, value: program.name, checked: program === chosen, disabled: program.unfit !== null, change: () => choose(program) }),
        h("span", {}, h("strong", {}, program.title), h("small", {}, ` ${Math.round(program.pressure_mmhg)} ${words.say("unit")} · ${words.say("choose_minutes", { min: Math.round(program.duration_min) })}`), program.unfit === null ? null : h("small", { class: "unfit" }, program.unfit)),
      ),
    );
    const boxes = ready.map((wrap) => h("input", { type: "checkbox", value: wrap.name, checked: true }));
    const told = h("p", { role: "status", class: "told" });
    const start = h(
      "button",
      {
        type: "button",
        class: "primary big",
        disabled: ready.length === 0,
        click: () => void this.start(chosen?.name ?? "", Number(duration.value) * 60, boxes.filter((box) => box.checked).map((box) => box.value), told, start),
      },
      words.say("choose_start"),
    );
    this.show(
      words.say("choose_title"),
      h("fieldset", { class: "options" }, h("legend", {}, words.say("choose_program")), ...options),
      about,
      curve,
      h("div", { class: "slider" }, h("label", { for: `${this.key}choose-duration` }, words.say("choose_duration")), duration, minutes),
      h(
        "fieldset",
        {},
        h("legend", {}, words.say("choose_wraps")),
        ...(ready.length === 0 ? [h("p", {}, words.say("choose_no_wraps"))] : boxes.map((box, i) => h("label", { class: "answer" }, box, `${words.say(ready[i]?.side ?? "left")} (${box.value})`))),
      ),
      h("div", { class: "actions" }, start, told),
    );
    if (chosen !== undefined) choose(chosen);
  }

  private async start(program: string, duration_s: number, wraps: string[], told: HTMLElement, button: HTMLButtonElement): Promise<void> {
    const { words } = this;
    if (wraps.length === 0) {
      told.textContent = words.say("choose_no_wraps");
      return;
    }
    button.disabled = true;
    told.textContent = words.say("asked");
    const check = this.model.hello?.check_before_start === false ? undefined : { read: this.read, ...this.answers };
    const answer = await this.gateway.ask("start", { program, duration_s, wraps }, check);
    button.disabled = false;
    if (answer.ok) {
      told.textContent = words.say("start_acknowledged");
      this.told = told;
      this.waiting = wraps;
    } else told.textContent = words.say("refused", { why: words.sayOf("fail", answer.why ?? "") });
  }

  private show(title: string, ...children: Node[]): void {
    const heading = h("h2", { id: `${this.key}start-title`, tabindex: -1 }, title);
    this.body.replaceChildren(heading, ...children);
    heading.focus();
  }
}
