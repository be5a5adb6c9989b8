/** The live page or the history, by the address; the history's modules are loaded when it is first looked at. STOP and alarms stay over both. */

import { h } from "./dom";
import type { HistoryPage } from "./history/page";
import { readRoute } from "./route";
import type { Words } from "./text";

export class Views {
  readonly links: HTMLElement;
  readonly place = h("div", { class: "history", hidden: true });
  private readonly tabs: HTMLAnchorElement[];
  private history: HistoryPage | null = null;
  isLive = true;

  /** `live` are the parts of the page that the history takes the place of. */
  constructor(
    private readonly words: Words,
    private readonly live: HTMLElement[],
  ) {
    this.tabs = [h("a", { href: "/" }, words.say("tab_live")), h("a", { href: "/history" }, words.say("tab_history"))];
    this.links = h("nav", { class: "tabs", "aria-label": words.say("tabs") }, ...this.tabs);
  }

  start(): void {
    addEventListener("popstate", () => void this.show());
    document.addEventListener("click", (event) => {
      const link = (event.target as Element).closest?.("a");
      if (!link || link.origin !== location.origin || link.hash !== "" || link.hasAttribute("download")) return;
      // Another tab or window is the browser's business.
      if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      this.go(link.pathname + link.search);
    });
    void this.show();
  }

  go(address: string): void {
    history.pushState(null, "", address);
    scrollTo(0, 0);
    void this.show();
  }

  restyle(): void {
    this.history?.restyle();
  }

  /** The server is back: what could not be read is read again. */
  wake(): void {
    if (this.history !== null) this.history.wake();
    else if (!this.isLive) void this.show();
  }

  private async show(): Promise<void> {
    const isLive = readRoute(location.pathname, location.search).page === "live";
    this.isLive = isLive;
    this.place.hidden = isLive;
    for (const part of this.live) part.classList.toggle("away", !isLive);
    this.tabs.forEach((tab, i) => {
      if ((i === 0) === isLive) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    });
    if (isLive) {
      document.title = "wavewrap";
      return;
    }
    if (this.history === null) {
      const loaded = await import("./history/page").catch(() => null);
      if (loaded === null) {
        // The server is gone; it is tried again when it is back.
        this.place.replaceChildren(h("section", { class: "card empty" }, h("p", { role: "alert" }, this.words.say("connection_server"))));
        return;
      }
      this.history ??= new loaded.HistoryPage(this.words, this.place, (address) => this.go(address));
    }
    if (!this.isLive) this.history.show(readRoute(location.pathname, location.search));
  }
}
