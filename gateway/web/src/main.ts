/** Puts the page together and keeps it drawn: when something came, at most thirty times a second, and never old numbers as if they were live. */

import "./style.css";
import { AlarmList } from "./alarmlist";
import { findAllAlarms } from "./alarms";
import { JournalCorner } from "./corner";
import { h, setText } from "./dom";
import { Gateways } from "./gateways";
import { GatewayView } from "./gatewayview";
import { listTitles } from "./model";
import { preferred } from "./preferences";
import { Connection } from "./socket";
import { isStopKey, Stop } from "./stop";
import { Views } from "./views";

const FRAME_MS = 1000 / 30;
/** Without news only ages and the right edge of the charts move. */
const QUIET_MS = 100;
/** A page in the background is drawn by nobody; its texts still have to be right when somebody listens. */
const SLOW_TICK_MS = 500;

const words = await preferred();
const { language } = words;

let drawn_ms = -Infinity;
/** whether something came since the last drawing: it is on the screen with the next frame */
let news = false;

const gateways = new Gateways();
const stop = new Stop();
/** to the last STOP, of each gateway; null while there is none */
let stopAnswers: (boolean | null)[] = [];
const connection = new Connection(
  (message) => {
    if (gateways.take(message, performance.now())) arrangeGateways();
    if (message.k === "hello") views.wake();
    news = true;
    // Not only when drawn: a gateway that ends right after its session must not take the proof with it.
    if (stop.step !== "idle" || stop.missed.length > 0) drawStop(performance.now());
  },
  () => {
    gateways.drop();
    void lookForLogin();
  },
);
const alarmList = new AlarmList(words, connection, () => gateways.models);

const stopText = h("span", { class: "word" });
const stopButton = h("button", { type: "button", id: "stop", title: words.say("stop_hint"), "aria-describedby": "stop-detail", click: () => press() }, stopText);
const stopDetail = h("p", { id: "stop-detail", class: "stop-detail", role: "status" });
const chip = h("span", { class: "chip", role: "status" });
const wrapsPlace = h("span", { class: "wraps-place" });
const logoutButton = h("button", { type: "button", class: "quiet", hidden: true, click: () => void logOut() }, words.say("logout"));
const gatewaysPlace = h("div", { class: "gateways" });
const dialogsPlace = h("div");
const source = h("span");
let panels: GatewayView[] = [];
const narrow = matchMedia("(max-width: 899px)");
const corner = new JournalCorner(words);
const views = new Views(words, [gatewaysPlace, corner.question], () => corner.lookSoon());

/** One press stops every gateway. */
function press(): void {
  stop.press(performance.now());
  const answers: (boolean | null)[] = gateways.models.map(() => null);
  stopAnswers = answers;
  draw();
  for (const { index } of gateways.models)
    void connection
      .to(index)
      .ask("stop")
      .then((answer) => {
        answers[index] = answer.ok || answer.value?.data != null;
        drawStop(performance.now());
      });
}

function switchTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset.theme === "dark" || (root.dataset.theme === "" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("wavewrap-theme", root.dataset.theme);
  for (const panel of panels) panel.restyle();
  views.restyle();
}

function switchLanguage(): void {
  localStorage.setItem("wavewrap-language", language === "en" ? "de" : "en");
  location.reload();
}

async function logOut(): Promise<void> {
  await fetch("/logout", { method: "POST" });
  location.assign("/login");
}

/** The server is not heard: it is gone, or the login has ended, which it says by sending to its form. */
async function lookForLogin(): Promise<void> {
  if (gateways.first.hello?.login !== true) return;
  const answer = await fetch("/", { redirect: "manual" }).catch(() => null);
  if (answer?.type === "opaqueredirect") location.assign("/login");
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
        wrapsPlace,
        h("button", { type: "button", class: "quiet", click: switchTheme, "aria-label": words.say("theme"), title: words.say("theme") }, "◐"),
        h("button", { type: "button", class: "quiet", click: switchLanguage, lang: language === "en" ? "de" : "en" }, words.say("switch_language")),
        logoutButton,
      ),
    ),
    h("aside", { class: "stop-place", "aria-label": words.say("stop") }, stopButton, stopDetail),
    h("main", { id: "wraps", tabindex: -1 }, alarmList.element, corner.element, gatewaysPlace, views.place),
    h("footer", {}, h("span", {}, words.say("footer")), source),
    dialogsPlace,
  );
}

/** Built anew only when the server follows other gateways than it did. */
function arrangeGateways(): void {
  const several = gateways.models.length > 1;
  panels = gateways.models.map((model) => new GatewayView(model, words, connection.to(model.index), narrow, several));
  gatewaysPlace.replaceChildren(...panels.map((panel) => panel.element));
  dialogsPlace.replaceChildren(...panels.flatMap((panel) => panel.dialogs));
  wrapsPlace.replaceChildren(...(several ? [] : panels.map((panel) => panel.wrapsButton)));
}

function drawStop(now_ms: number): void {
  stop.answer(gateways.outcome(stopAnswers), now_ms);
  const { missed, reached } = stop;
  const vented = gateways.vented(now_ms, stop.pressed_ms, missed.length > 0 ? reached : gateways.models, stop.step !== "failed");
  stop.tick(now_ms, vented, gateways.vented(now_ms, stop.pressed_ms, missed, false));
  const { step } = stop;
  const partly = stop.missed.length > 0;
  stopButton.dataset.step = partly ? "partly" : step;
  setText(stopText, partly || step === "idle" || step === "failed" ? words.say("stop") : words.say(`stop_${step}`));
  const slow = stop.isSlow(now_ms);
  const detail = partly ? words.say("stop_detail_partly") : step === "idle" ? "" : slow ? words.say("stop_detail_slow") : words.say(`stop_detail_${step}`);
  if (partly) {
    const others = step === "acknowledged" || step === "vented" ? words.say(slow ? "stop_others_slow" : `stop_others_${step}`, { gateways: listTitles(reached) }) : "";
    setText(stopDetail, `${words.say("stop_partly", { gateways: listTitles(stop.missed) })}. ${detail} ${others}`.trimEnd());
  } else setText(stopDetail, step === "failed" ? `${words.say("stop_failed")}. ${detail}` : detail);
}

function draw(): void {
  const now_ms = performance.now();
  alarmList.draw(findAllAlarms(gateways.models, words, now_ms));
  for (const panel of panels) panel.draw(now_ms, views.isLive);
  const { first } = gateways;
  if (first.hello !== null) corner.watch(gateways.models.some((model) => model.session()?.state === "running"));
  drawStop(now_ms);
  const alone = first.isAlone(now_ms);
  const { models } = gateways;
  const live = alone ? 0 : models.filter((model) => model.gatewayOnline).length;
  document.body.classList.toggle("alone", alone && first.hello !== null);
  chip.classList.toggle("bad", live < models.length);
  const none = alone ? "connection_wait" : models.every((model) => model.brokerDown !== null) ? "connection_broker" : "connection_gateway";
  setText(chip, live === models.length ? words.say("connection_ok") : live > 0 ? words.say("connection_some", { n: live, all: models.length }) : words.say(none));
  logoutButton.hidden = first.hello?.login !== true;
  if (first.hello !== null) setText(source, words.say("footer_source", { topic: models.map((model) => gateways.address(model)).join(", "), version: first.hello.version }));
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
  panels.forEach((panel) => panel.restyle());
  views.restyle();
});

build();
arrangeGateways();
connection.start();
views.start();
requestAnimationFrame(frame);
setInterval(() => {
  if (performance.now() - drawn_ms > SLOW_TICK_MS) draw();
}, SLOW_TICK_MS);
