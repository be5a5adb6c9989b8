/** The alarms on the page: announced once, each with what to do; a fault with the button that says that a person has seen to it. */

import type { Alarm } from "./alarms";
import { h, setText } from "./dom";
import type { Model } from "./model";
import type { Connection } from "./socket";
import type { Words } from "./text";

export class AlarmList {
  readonly element: HTMLElement;
  private readonly shown = new Map<string, { row: HTMLElement; title: HTMLElement; what: HTMLElement }>();

  constructor(
    private readonly words: Words,
    private readonly connection: Connection,
    private readonly models: () => Model[],
  ) {
    this.element = h("section", { class: "alarms", role: "alert", "aria-label": words.say("alarms") });
  }

  draw(alarms: Alarm[]): void {
    const ids = new Set(alarms.map((alarm) => alarm.id));
    for (const [id, { row }] of this.shown)
      if (!ids.has(id)) {
        row.remove();
        this.shown.delete(id);
      }
    for (const alarm of alarms) {
      let found = this.shown.get(alarm.id);
      if (found === undefined) {
        found = this.build(alarm);
        this.shown.set(alarm.id, found);
        this.element.append(found.row);
      }
      setText(found.title, alarm.title);
      setText(found.what, alarm.what);
    }
  }

  private build(alarm: Alarm): { row: HTMLElement; title: HTMLElement; what: HTMLElement } {
    const title = h("strong");
    const what = h("span");
    const { fault } = alarm;
    let button: HTMLElement | null = null;
    if (fault !== undefined && this.models()[alarm.gateway]?.takes("acknowledge") === true) {
      const told = h("span", { role: "status" });
      const seen = h("button", { type: "button", click: () => void this.acknowledge(alarm.gateway, fault, told) }, this.words.say("acknowledge"));
      button = h("span", { class: "seen" }, seen, told);
    }
    return { row: h("div", { class: `alarm ${alarm.level}`, "data-alarm": alarm.id }, h("p", {}, title, what), button), title, what };
  }

  private async acknowledge(gateway: number, fault: { wrap: string; fault: string }, told: HTMLElement): Promise<void> {
    const { words } = this;
    told.textContent = words.say("asked");
    const answer = await this.connection.to(gateway).ask("acknowledge", fault);
    told.textContent = answer.ok ? words.say("acknowledged") : words.say("refused", { why: words.sayOf("fail", answer.why ?? "") });
  }
}
