/** Puts the page together and keeps it drawn: when something came, at most thirty times a second, and never old numbers as if they were live. */

import "./style.css";
import { AlarmList } from "./alarmlist";
import { findAlarms } from "./alarms";
import { Calf } from "./calf";
import { Card } from "./card";
import { JournalCorner } from "./corner";
import { h, setAttribute, setText } from "./dom";
import { Model } from "./model";
import { SessionPanel } from "./session";
import { Connection } from "./socket";
import { StartDialog } from "./start";
import { isStopKey, Stop } from "./stop";
import { pickLanguage, Words, type Language } from "./text";
import { Views } from "./views";
import { WrapsDialog } from "./wraps";

const FRAME_MS = 1000 / 30;
/** Without news only ages and the right edge of the charts move. */
const QUIET_MS = 100;
/** A page in the background is drawn by nobody; its texts still have to be right when somebody listens. */
const SLOW_TICK_MS = 500;

const stored = localStorage.getItem("wavewrap-language");
const language: Language = stored === "de" || stored === "en" ? stored : pickLanguage(navigator.languages);
const words = new Words(language);
document.documentElement.lang = language;
document.documentElement.dataset.theme = localStorage.getItem("wavewrap-theme") ?? "";

let drawn_ms = -Infinity;
/** whether something came since the last drawing: it is on the screen with the next frame */
let news = false;

const model = new Model();
const stop = new Stop();
const connection = new Connection(
  (message) => {
    model.take(message, performance.now());
    if (message.k === "hello") views.wake();
    news = true;
    // Not only when drawn: a gateway that ends right after its session must not take the proof with it.
    if (stop.step !== "idle") drawStop(performance.now());
  },
  () => {
    model.heard_ms = null;
    model.revision++;
  },
);
const startDialog = new StartDialog(words, connection, model);
const wrapsDialog = new WrapsDialog(words, connection, model);
const sessionPanel = new SessionPanel(words, connection, () => startDialog.open());
const alarmList = new AlarmList(words, connection, model);

const stopText = h("span", { class: "word" });
const stopButton = h("button", { type: "button", id: "stop", title: words.say("stop_hint"), "aria-describedby": "stop-detail", click: () => press() }, stopText);
const stopDetail = h("p", { id: "stop-detail", class: "stop-detail", role: "status" });
const chip = h("span", { class: "chip", role: "status" });
const wrapsButton = h("button", { type: "button", class: "quiet", hidden: true, click: () => void wrapsDialog.open() }, words.say("wraps"));
const cardsPlace = h("div", { class: "cards" });
const empty = h("section", { class: "card empty" }, h("h2", {}, words.say("no_wraps")), h("p", {}, words.say("no_wraps_what")));
const source = h("span");
let cards: Card[] = [];
/** On a narrow screen both legs stand side by side above the cards, so that the wave can be seen on both. */
const legs = h("section", { class: "card legs" });
let legCalves: Calf[] = [];
const narrow = matchMedia("(max-width: 899px)");
const corner = new JournalCorner(words);
const views = new Views(words, [sessionPanel.element, legs, cardsPlace, corner.question], () => corner.lookSoon());

function press(): void {
  stop.press(performance.now());
  draw();
  void connection.ask("stop").then((answer) => {
    stop.answer(answer.ok || answer.value?.data != null, performance.now());
  });
}

function switchTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset.theme === "dark" || (root.dataset.theme === "" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("wavewrap-theme", root.dataset.theme);
  for (const card of cards) card.restyle();
  views.restyle();
}

function switchLanguage(): void {
  localStorage.setItem("wavewrap-language", language === "en" ? "de" : "en");
  location.reload();
}

function build(): void {
  const page = document.getElementById("page");
  if (page === null) return;
  page.append(
    h("a", { class: "skip", href: "#wraps" }, words.say("skip")),
    h(
      "header",
      { class: "top" },
      h("div", { class: "brand" }, h("span", { class: "mark", "aria-hidden": "true" }), h("h1", {}, "wavewrap"), h("small", {}, words.say("tagline"))),
      views.links,
      chip,
      h(
        "nav",
        { "aria-label": "wavewrap" },
        wrapsButton,
        h("button", { type: "button", class: "quiet", click: switchTheme, "aria-label": words.say("theme"), title: words.say("theme") }, "◐"),
        h("button", { type: "button", class: "quiet", click: switchLanguage, lang: language === "en" ? "de" : "en" }, words.say("switch_language")),
      ),
    ),
    h("aside", { class: "stop-place", "aria-label": words.say("stop") }, stopButton, stopDetail),
    h("main", { id: "wraps", tabindex: -1 }, alarmList.element, sessionPanel.element, corner.element, legs, cardsPlace, views.place),
    h("footer", {}, h("span", {}, words.say("footer")), source),
    startDialog.element,
    wrapsDialog.element,
  );
}

/** As many cards as wraps, built anew only when a wrap comes, goes, or says that it is another. */
function arrangeCards(): void {
  const wraps = model.sorted();
  const wanted = wraps.map((wrap) => ({ wrap, chambers: wrap.ring.chambers || wrap.state?.pressure_mmhg?.length || 4 }));
  const same = wanted.length === cards.length && wanted.every(({ wrap, chambers }, i) => cards[i]?.name === wrap.name && cards[i]?.chambers === chambers && cards[i]?.side === wrap.side);
  if (!same) {
    cards = wanted.map(({ wrap, chambers }) => new Card(wrap.name, chambers, wrap.side, words));
    legCalves = cards.map((card) => new Calf(card.chambers, `leg-${card.name}`));
    legs.replaceChildren(...cards.map((card, i) => h("figure", {}, h("figcaption", {}, words.say(card.side)), (legCalves[i] as Calf).element)));
    cardsPlace.replaceChildren(...(cards.length > 0 ? cards.map((card) => card.element) : [empty]));
  } else if (cards.length === 0 && cardsPlace.childElementCount === 0) cardsPlace.append(empty);
}

function drawStop(now_ms: number): void {
  stop.tick(now_ms, model.vented(now_ms, stop.pressed_ms));
  stopButton.dataset.step = stop.step;
  setText(stopText, stop.step === "idle" || stop.step === "failed" ? words.say("stop") : words.say(`stop_${stop.step}`));
  const detail = stop.step === "idle" ? "" : stop.isSlow(now_ms) ? words.say("stop_detail_slow") : words.say(`stop_detail_${stop.step}`);
  setText(stopDetail, stop.step === "failed" ? `${words.say("stop_failed")}. ${detail}` : detail);
}

function draw(): void {
  const now_ms = performance.now();
  arrangeCards();
  alarmList.draw(findAlarms(model, words, now_ms));
  sessionPanel.draw(model, now_ms);
  legs.hidden = cards.length === 0 || !narrow.matches;
  // What nobody sees is not drawn.
  if (views.isLive) cards.forEach((card, i) => {
    const wrap = model.wraps.get(card.name);
    if (wrap === undefined) return;
    card.draw(wrap, model, now_ms);
    const calf = legCalves[i];
    if (legs.hidden || calf === undefined) return;
    const stale = card.isStale;
    calf.draw(wrap.latest(now_ms), stale);
    setAttribute(calf.element, "aria-label", card.description);
  });
  if (model.hello !== null) corner.watch(model.session()?.state === "running");
  drawStop(now_ms);
  startDialog.tick(now_ms);
  const alone = model.isAlone(now_ms);
  const live = !alone && model.brokerDown === null && model.gatewayOnline;
  document.body.classList.toggle("alone", alone && model.hello !== null);
  chip.classList.toggle("bad", !live);
  setText(chip, live ? words.say("connection_ok") : alone ? words.say("connection_wait") : words.say(model.brokerDown !== null ? "connection_broker" : "connection_gateway"));
  wrapsButton.hidden = !model.takes("health");
  if (model.hello !== null) setText(source, words.say("footer_source", { topic: model.hello.base_topic, version: model.hello.version }));
  drawn_ms = now_ms;
  news = false;
}

function frame(now_ms: number): void {
  const since_ms = now_ms - drawn_ms;
  if ((news && since_ms >= FRAME_MS - 2) || since_ms >= QUIET_MS) draw();
  requestAnimationFrame(frame);
}

// Before anything else that listens: a dialog must not swallow Escape.
addEventListener(
  "keydown",
  (event) => {
    if (!isStopKey(event)) return;
    event.preventDefault();
    if (!event.repeat) press();
  },
  { capture: true },
);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  cards.forEach((card) => card.restyle());
  views.restyle();
});

build();
connection.start();
views.start();
requestAnimationFrame(frame);
setInterval(() => {
  if (performance.now() - drawn_ms > SLOW_TICK_MS) draw();
}, SLOW_TICK_MS);
