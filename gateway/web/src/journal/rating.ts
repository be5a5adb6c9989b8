/** The question how sore the calves are, with its scale: on the journal's page, and on the live page when it is due. */

import { h, setText } from "../dom";
import { ask, AskError } from "../history/ask";
import type { Question } from "./entries";
import { Scale } from "./scale";
import type { JournalWords } from "./words";

export class Rating {
  readonly element: HTMLElement;
  private readonly about = h("p", { class: "about", role: "status" });
  private readonly told = h("p", { class: "told", role: "status" });
  private readonly scale: Scale;
  private readonly remark: HTMLInputElement | null;

  /** Without `remarks` there is no field for one. */
  constructor(
    private readonly words: JournalWords,
    name: string,
    private readonly onNoted: () => void,
    { remarks }: { remarks: boolean },
  ) {
    const say = words.say.bind(words);
    this.scale = new Scale(name, say("soreness_question"), 0, 10, [say("soreness_least"), say("soreness_most")], () => setText(this.told, ""));
    this.remark = remarks ? h("input", { type: "text", maxlength: 500 }) : null;
    this.element = h(
      "form",
      { class: "rating", submit: (event) => void this.save(event) },
      this.about,
      this.scale.element,
      this.remark === null ? null : h("label", { class: "field" }, h("span", {}, say("remark")), this.remark),
      h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, say("soreness_save")), this.told),
    );
  }

  /** What is asked; nothing where nobody asks. */
  show(question: Question | null): void {
    setText(this.about, question === null ? "" : this.words.about(question));
  }

  focus(): void {
    this.scale.focus();
  }

  private async save(event: Event): Promise<void> {
    event.preventDefault();
    const { words, scale } = this;
    const soreness = scale.value;
    if (soreness === null) {
      setText(this.told, words.say("soreness_choose"));
      scale.focus();
      return;
    }
    try {
      await ask("journal_add_soreness", { unix_s: Date.now() / 1000, soreness, note: this.remark?.value.trim() ?? "" });
    } catch (cause) {
      if (!(cause instanceof AskError)) throw cause;
      setText(this.told, words.say("refused", { why: cause.message || words.say("trouble_server") }));
      return;
    }
    scale.clear();
    if (this.remark !== null) this.remark.value = "";
    setText(this.told, words.say("soreness_noted", { n: soreness }));
    this.onNoted();
  }
}
