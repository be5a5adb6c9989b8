/** The wraps that the gateway knows: names, forgetting, and pairing with the digits that the wrap shows. */

import { h } from "./dom";
import type { Json, Model } from "./model";
import type { Asker } from "./socket";
import type { Words } from "./text";

interface Known {
  id: string;
  side: "left" | "right";
  link: string;
  battery_pct: number | null;
}

/** How long a wrap shows its light. */
const IDENTIFY_S = 15;

export class WrapsDialog {
  readonly element: HTMLDialogElement;
  private readonly body = h("div", { class: "step" });
  private readonly told = h("p", { role: "status", class: "told" });

  constructor(
    private readonly words: Words,
    private readonly gateway: Asker,
    private readonly model: Model,
    private readonly key: string,
  ) {
    this.element = h(
      "dialog",
      { class: "sheet", "aria-labelledby": `${key}wraps-title` },
      h("h2", { id: `${key}wraps-title`, tabindex: -1 }, words.say("wraps_title")),
      this.body,
      this.told,
      h("button", { type: "button", class: "quiet close", click: () => this.element.close() }, words.say("close")),
    );
  }

  async open(): Promise<void> {
    this.told.textContent = "";
    this.body.replaceChildren();
    this.element.show();
    await this.list();
  }

  private async list(): Promise<void> {
    const { words } = this;
    const answer = await this.gateway.ask("health");
    if (!answer.ok) {
      this.tell(answer.ok, answer.why);
      return;
    }
    const known = ((answer.value as Json).data as { wraps: Known[] }).wraps;
    const rows = known.map((wrap) => h("li", {}, h("span", {}, h("strong", {}, wrap.id), ` ${words.say(wrap.side)}, ${words.sayOf("link", wrap.link)}`), this.identifying(wrap), this.renaming(wrap), this.forgetting(wrap)));
    this.body.replaceChildren(
      known.length === 0 ? h("p", {}, words.say("wraps_none")) : h("ul", { class: "known" }, ...rows),
      ...(this.model.takes("pair") ? [this.pairing()] : []),
    );
  }

  private identifying(wrap: Known): HTMLElement | null {
    if (!this.model.takes("identify") || wrap.link !== "ready") return null;
    const { words } = this;
    return h("button", { type: "button", "aria-label": words.say("identify_which", { name: wrap.id }), click: () => void this.ask("identify", { wrap: wrap.id, for_s: IDENTIFY_S }) }, words.say("identify"));
  }

  private renaming(wrap: Known): HTMLElement | null {
    if (!this.model.takes("rename")) return null;
    const { words } = this;
    const input = h("input", { type: "text", name: "name", pattern: "[a-z0-9_\\-]{1,64}", required: true, value: wrap.id, "aria-label": words.say("rename_new", { name: wrap.id }) });
    return h(
      "form",
      {
        submit: (event) => {
          event.preventDefault();
          void this.act("rename", { wrap: wrap.id, name: input.value });
        },
      },
      input,
      h("button", { type: "submit" }, words.say("rename")),
    );
  }

  private forgetting(wrap: Known): HTMLElement | null {
    if (!this.model.takes("forget")) return null;
    const { words } = this;
    let armed = false;
    const button = h(
      "button",
      {
        type: "button",
        class: "quiet",
        click: () => {
          if (armed) void this.act("forget", { wrap: wrap.id });
          armed = true;
          button.textContent = words.say("forget_sure", { name: wrap.id });
        },
      },
      words.say("forget"),
    );
    return button;
  }

  private pairing(): HTMLElement {
    const { words } = this;
    const begin = h("button", { type: "button", click: () => void look() }, words.say("pair_begin"));
    const place = h("div", {}, h("p", { class: "muted" }, words.say("pair_what")), begin);
    const look = async (): Promise<void> => {
      begin.disabled = true;
      this.told.textContent = words.say("pair_looking");
      const answer = await this.gateway.ask("pair", {});
      begin.disabled = false;
      if (!answer.ok) {
        this.tell(false, answer.why);
        return;
      }
      this.told.textContent = "";
      const data = (answer.value as Json).data as { step: string; wrap: { id: string } | null };
      if (data.step === "paired") {
        this.told.textContent = words.say("paired", { name: data.wrap?.id ?? "" });
        await this.list();
        return;
      }
      place.replaceChildren(this.passkey());
    };
    return h("section", {}, h("h3", {}, words.say("pair")), place);
  }

  private passkey(): HTMLElement {
    const { words } = this;
    const input = h("input", { type: "text", inputmode: "numeric", pattern: "[0-9]{6}", maxlength: 6, required: true, id: `${this.key}pair-passkey`, autocomplete: "off" });
    return h(
      "form",
      {
        submit: (event) => {
          event.preventDefault();
          void this.act("pair", { passkey: input.value });
        },
      },
      h("label", { for: `${this.key}pair-passkey` }, words.say("pair_passkey")),
      input,
      h("button", { type: "submit", class: "primary" }, words.say("pair_send")),
    );
  }

  /** What changes the list, which is then drawn anew. */
  private async act(command: string, body: Json): Promise<void> {
    await this.ask(command, body);
    await this.list();
  }

  /** What leaves the list as it is, and so whatever is being typed into it. */
  private async ask(command: string, body: Json): Promise<void> {
    this.told.textContent = this.words.say("asked");
    const answer = await this.gateway.ask(command, body);
    this.tell(answer.ok, answer.why);
  }

  private tell(ok: boolean, why: string | null): void {
    this.told.textContent = ok ? this.words.say("done") : this.words.say("refused", { why: this.words.sayOf("fail", why ?? "") });
  }
}
