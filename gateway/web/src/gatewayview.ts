/** One gateway on the page: its session, its wraps, its dialogs. Where there are several, each stands under its name. */

import { Calf } from "./calf";
import { Card } from "./card";
import { h, setAttribute, setText } from "./dom";
import type { Model } from "./model";
import { SessionPanel } from "./session";
import type { Asker } from "./socket";
import { StartDialog } from "./start";
import type { Words } from "./text";
import { WrapsDialog } from "./wraps";

export class GatewayView {
  readonly element: HTMLElement;
  readonly dialogs: HTMLElement[];
  readonly wrapsButton: HTMLButtonElement;
  private readonly title = h("h2", { class: "gateway-title" });
  /** Where its broker is away while others go on. */
  private readonly away = h("span", { class: "badge bad", role: "status", hidden: true });
  private readonly session: SessionPanel;
  private readonly start: StartDialog;
  private readonly cardsPlace = h("div", { class: "cards" });
  private readonly empty: HTMLElement;
  /** On a narrow screen both legs stand side by side above the cards, so that the wave can be seen on both. */
  private readonly legs = h("section", { class: "card legs" });
  private cards: Card[] = [];
  private calves: Calf[] = [];

  constructor(
    readonly model: Model,
    private readonly words: Words,
    gateway: Asker,
    private readonly narrow: MediaQueryList,
    /** whether there are others */ private readonly several: boolean,
  ) {
    const { key } = model;
    this.start = new StartDialog(words, gateway, model, key);
    const wraps = new WrapsDialog(words, gateway, model, key);
    this.title.id = `${key}gateway-title`;
    this.session = new SessionPanel(words, gateway, key, several ? this.title.id : null, () => this.start.open());
    this.wrapsButton = h("button", { type: "button", class: "quiet", hidden: true, click: () => void wraps.open() }, words.say("wraps"));
    this.empty = h("section", { class: "card empty" }, h("h3", {}, words.say("no_wraps")), h("p", {}, words.say("no_wraps_what")));
    this.dialogs = [this.start.element, wraps.element];
    this.element = h(
      "div",
      { class: "gateway", "data-gateway": model.index },
      several ? h("div", { class: "gateway-head" }, this.title, this.away, this.wrapsButton) : null,
      this.session.element,
      this.legs,
      this.cardsPlace,
    );
  }

  restyle(): void {
    for (const card of this.cards) card.restyle();
  }

  /** `seen`: what nobody looks at is not drawn. */
  draw(now_ms: number, seen: boolean): void {
    const { model } = this;
    this.arrange();
    setText(this.title, model.title);
    const unreached = model.brokerDown !== null;
    this.element.classList.toggle("unreached", unreached);
    this.away.hidden = !unreached;
    setText(this.away, unreached ? this.words.say("connection_broker") : "");
    // Where nothing is heard nobody knows whether there are wraps.
    this.empty.hidden = unreached;
    this.session.draw(model, now_ms);
    this.legs.hidden = this.cards.length === 0 || !this.narrow.matches;
    if (seen) this.cards.forEach((card, i) => {
      const wrap = model.wraps.get(card.name);
      if (wrap === undefined) return;
      card.draw(wrap, model, now_ms);
      const calf = this.calves[i];
      if (this.legs.hidden || calf === undefined) return;
      calf.draw(wrap.latest(now_ms), card.isStale);
      setAttribute(calf.element, "aria-label", card.description);
    });
    this.start.tick(now_ms);
    this.wrapsButton.hidden = !model.takes("health");
  }

  /** As many cards as wraps, built anew only when a wrap comes, goes, or says that it is another. */
  private arrange(): void {
    const { model, words, cards } = this;
    const gateway = this.several ? model.title : null;
    const wanted = model.sorted().map((wrap) => ({ wrap, chambers: wrap.chambers || 4 }));
    const same =
      wanted.length === cards.length &&
      wanted.every(({ wrap, chambers }, i) => cards[i]?.name === wrap.name && cards[i]?.chambers === chambers && cards[i]?.side === wrap.side && cards[i]?.gateway === gateway);
    if (!same) {
      this.cards = wanted.map(({ wrap, chambers }) => new Card(wrap.name, chambers, wrap.side, words, gateway, model.key));
      this.calves = this.cards.map((card) => new Calf(card.chambers, `${model.key}leg-${card.name}`));
      this.legs.replaceChildren(...this.cards.map((card, i) => h("figure", {}, h("figcaption", {}, words.say(card.side)), (this.calves[i] as Calf).element)));
      this.cardsPlace.replaceChildren(...this.cards.map((card) => card.element));
    }
    if (this.cards.length === 0 && this.cardsPlace.childElementCount === 0) this.cardsPlace.append(this.empty);
  }
}
