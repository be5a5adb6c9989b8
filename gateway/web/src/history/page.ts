/** The history's pages: which one is shown, and what they have in common. Loaded when the history is first looked at. */

import "./history.css";
import { h } from "../dom";
import type { Route } from "../route";
import type { Words } from "../text";
import { CompareView } from "./compare";
import { ListView } from "./list";
import { SessionView } from "./session";
import { TrendsView } from "./trends";
import type { Shared, View } from "./view";
import { HistoryWords } from "./words";

export class HistoryPage {
  private readonly shared: Shared;
  private view: View | null = null;
  private printing: string | null = null;

  constructor(
    words: Words,
    private readonly place: HTMLElement,
    go: (address: string) => void,
  ) {
    this.shared = { words: new HistoryWords(words), go, chosen: new Set(), notice: null };
    // On paper the page is light, whatever the screen is; what is drawn on a canvas has to be drawn anew for that.
    const root = document.documentElement;
    addEventListener("beforeprint", () => {
      this.printing = root.dataset.theme ?? "";
      root.dataset.theme = "light";
      this.restyle();
    });
    addEventListener("afterprint", () => {
      root.dataset.theme = this.printing ?? "";
      this.restyle();
    });
  }

  show(route: Route): void {
    this.view?.close();
    this.view = this.make(route);
    const { words } = this.shared;
    const heading = h("h2", { tabindex: -1 }, this.view.title);
    this.view.onTitle = (title) => {
      heading.textContent = title;
      document.title = `${title} · wavewrap`;
    };
    this.view.onTitle(this.view.title);
    const back = route.page === "list" ? null : h("a", { class: "back", href: "/history" }, `‹ ${words.say("back")}`);
    const links = route.page === "list" ? h("a", { class: "button", href: "/trends" }, words.say("trends")) : null;
    const notice = this.shared.notice === null ? null : h("p", { class: "card notice", role: "status" }, this.shared.notice);
    this.shared.notice = null;
    this.place.replaceChildren(...[back, h("header", { class: "head" }, heading, links), notice, this.view.element].filter((one) => one !== null));
    heading.focus({ preventScroll: true });
    this.view.start();
  }

  restyle(): void {
    this.view?.restyle();
  }

  wake(): void {
    this.view?.wake();
  }

  private make(route: Route): View {
    switch (route.page) {
      case "session":
        return new SessionView(this.shared, route.session);
      case "compare":
        return new CompareView(this.shared, route.one, route.other);
      case "trends":
        return new TrendsView(this.shared);
      default:
        return new ListView(this.shared);
    }
  }
}
