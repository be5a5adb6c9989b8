/** The live page, the history or the journal, by the address; what is not live is loaded when it is first looked at. STOP and alarms stay over all. */

import { h } from "./dom";
import { readRoute, type Route } from "./route";
import type { Words } from "./text";

const LATER = ["history", "journal"] as const;
type Later = (typeof LATER)[number];

/** What is loaded later. */
interface Part {
  show(route: Route): void;
  /** What is drawn on a canvas has colours of its own. */
  restyle?(): void;
  wake(): void;
}

function partOf(route: Route): Later | null {
  return route.page === "live" ? null : route.page === "journal" ? "journal" : "history";
}

export class Views {
  readonly links: HTMLElement;
  readonly place: HTMLElement;
  private readonly tabs: [part: Later | null, link: HTMLAnchorElement][];
  private readonly places: Record<Later, HTMLElement> = { history: h("div", { class: "history", hidden: true }), journal: h("div", { hidden: true }) };
  private readonly parts: Partial<Record<Later, Part>> = {};
  isLive = true;

  /** `live` are the parts of the page that the others take the place of; `onNoted` hears that the journal has changed. */
  constructor(
    private readonly words: Words,
    private readonly live: HTMLElement[],
    private readonly onNoted: () => void,
  ) {
    this.tabs = [
      [null, h("a", { href: "/" }, words.say("tab_live"))],
      ["history", h("a", { href: "/history" }, words.say("tab_history"))],
      ["journal", h("a", { href: "/journal" }, words.say("tab_journal"))],
    ];
    this.links = h("nav", { class: "tabs", "aria-label": words.say("tabs") }, ...this.tabs.map(([, link]) => link));
    this.place = h("div", { class: "later", hidden: true }, ...Object.values(this.places));
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
    for (const part of Object.values(this.parts)) part.restyle?.();
  }

  /** The server is back: what could not be read is read again. */
  wake(): void {
    const wanted = partOf(this.route);
    if (wanted === null) return;
    const part = this.parts[wanted];
    if (part === undefined) void this.show();
    else part.wake();
  }

  private get route(): Route {
    return readRoute(location.pathname, location.search);
  }

  private async show(): Promise<void> {
    const wanted = partOf(this.route);
    this.isLive = wanted === null;
    this.place.hidden = this.isLive;
    for (const part of this.live) part.classList.toggle("away", !this.isLive);
    for (const part of LATER) this.places[part].hidden = part !== wanted;
    for (const [part, link] of this.tabs) {
      if (part === wanted) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (wanted === null) {
      document.title = "wavewrap";
      return;
    }
    if (this.parts[wanted] === undefined) {
      const loaded = await this.load(wanted).catch(() => null);
      if (loaded === null) {
        // The server is gone; it is tried again when it is back.
        this.places[wanted].replaceChildren(h("section", { class: "card empty" }, h("p", { role: "alert" }, this.words.say("connection_server"))));
        return;
      }
      this.parts[wanted] ??= loaded();
    }
    // Somebody may have gone on meanwhile.
    if (partOf(this.route) === wanted) this.parts[wanted]?.show(this.route);
  }

  private async load(wanted: Later): Promise<() => Part> {
    if (wanted === "journal") {
      const { JournalPage } = await import("./journal/page");
      return () => new JournalPage(this.words, this.places.journal, this.onNoted);
    }
    const { HistoryPage } = await import("./history/page");
    return () => new HistoryPage(this.words, this.places.history, (address) => this.go(address));
  }
}
