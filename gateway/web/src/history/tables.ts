/** The dose as tables: a row a figure, a column a chamber; and left against right as bars. */

import { h, s } from "../dom";
import type { Change, Dose, Side } from "./ask";
import { number, signed } from "./format";
import type { HistoryKey, HistoryWords } from "./words";

type Figure = { key: HistoryKey & keyof Dose; digits: number };

const FIGURES: Figure[] = [
  { key: "over_threshold_s", digits: 1 },
  { key: "pressure_time_mmhg_s", digits: 0 },
  { key: "peak_mmhg", digits: 1 },
  { key: "reached", digits: 0 },
  { key: "rise_s", digits: 2 },
  { key: "vent_s", digits: 2 },
  { key: "delay_s", digits: 2 },
  { key: "tracking_rms_mmhg", digits: 2 },
  { key: "leak_mmhg_s", digits: 3 },
];

function table(words: HistoryWords, caption: string, chambers: number[], rows: [string, string[]][]): HTMLElement {
  const heads = chambers.map((n) => h("th", { scope: "col", class: `c${n}` }, h("span", { class: "swatch", "aria-hidden": "true" }, String(n)), h("span", { class: "sr" }, words.say("chamber_n", { n }))));
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": caption },
    h(
      "table",
      { class: "figures" },
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "sr" }, words.say("figure"))), ...heads)),
      h("tbody", {}, ...rows.map(([name, cells]) => h("tr", {}, h("th", { scope: "row" }, name), ...cells.map((cell) => h("td", {}, cell))))),
    ),
  );
}

export function doseTable(words: HistoryWords, caption: string, dose: Dose[]): HTMLElement {
  const cell = ({ key, digits }: Figure, one: Dose): string =>
    key === "reached" ? words.say("reached_of", { n: one.reached, all: one.compressions }) : number(one[key], digits, words.language);
  return table(
    words,
    caption,
    dose.map((one) => one.chamber),
    FIGURES.map((figure) => [words.say(figure.key), dose.map((one) => cell(figure, one))]),
  );
}

export function changeTable(words: HistoryWords, caption: string, changes: Change[]): HTMLElement {
  const known = FIGURES.filter(({ key }) => changes[0] !== undefined && key in changes[0]);
  return table(
    words,
    caption,
    changes.map((one) => one.chamber),
    known.map(({ key, digits }) => [words.say(key), changes.map((one) => signed(one[key as keyof Change], digits, words.language))]),
  );
}

const BARS: Figure[] = FIGURES.slice(0, 3);

/** Left and right of each chamber as bars from the middle outwards, the knee on top as on the leg; figures beside them, so that nothing is told by length alone. */
export function sideBars(words: HistoryWords, left: Dose[], right: Dose[], differences: Change[]): HTMLElement {
  const place = h("div", { class: "bars" });
  const pills = BARS.map((figure, i) => h("button", { type: "button", class: "pill", "aria-pressed": String(i === 0), click: () => show(figure, i) }, words.say(figure.key)));
  const show = ({ key, digits }: Figure, chosen: number): void => {
    pills.forEach((pill, i) => pill.setAttribute("aria-pressed", String(i === chosen)));
    const most = Math.max(1e-9, ...[...left, ...right].map((one) => one[key] ?? 0));
    const bar = (one: Dose, side: Side): HTMLElement => {
      const width = (100 * Math.max(0, one[key] ?? 0)) / most;
      const rect = s("rect", { x: side === "left" ? 100 - width : 0, y: 0, width, height: 10, rx: 1.5 });
      return h("td", { class: `bar-${side}` }, s("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: `c${one.chamber}`, "aria-hidden": "true" }, rect));
    };
    const rows = differences.map((difference, i) => {
      const [l, r] = [left[i] as Dose, right[i] as Dose];
      return h(
        "tr",
        {},
        h("td", { class: "number" }, number(l[key], digits, words.language)),
        bar(l, "left"),
        h("th", { scope: "row", class: `c${l.chamber}` }, h("span", { class: "swatch", "aria-hidden": "true" }, String(l.chamber)), h("span", { class: "sr" }, words.say("chamber_n", { n: l.chamber }))),
        bar(r, "right"),
        h("td", { class: "number" }, number(r[key], digits, words.language)),
        h("td", { class: "number muted" }, signed(difference[key as keyof Change], digits, words.language)),
      );
    });
    const heads = [words.shared("left"), "", "", "", words.shared("right"), words.say("sides_difference")];
    place.replaceChildren(
      h(
        "table",
        {},
        h("caption", { class: "sr" }, `${words.say("sides")}: ${words.say(key)}`),
        h("thead", {}, h("tr", {}, ...heads.map((head) => (head === "" ? h("td") : h("th", { scope: "col" }, head))))),
        h("tbody", {}, ...rows.reverse()),
      ),
    );
  };
  show(BARS[0] as Figure, 0);
  return h("div", {}, h("div", { class: "bar" }, h("span", { class: "pills" }, ...pills)), place);
}
