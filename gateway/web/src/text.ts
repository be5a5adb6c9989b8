/** Every word that a person reads comes from `strings/`; English is the first, and whoever translates copies that one file. */

import en from "./strings/en.json";

export type Key = keyof typeof en;
export type Language = "en" | "de";

export type Strings = Record<Key, string>;

/** The strings of a language. English comes with the page; another one is fetched by who reads it. */
export async function loadStrings(language: Language): Promise<Strings> {
  return language === "de" ? (await import("./strings/de.json")).default : en;
}

/** Fill the `{names}` of a string. */
export function format(text: string, values: Record<string, string | number> = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

/** The language for a list of the browser's, most wanted first. */
export function pickLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    if (tag.toLowerCase().startsWith("de")) return "de";
    if (tag.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}

/** Whether there is such a string; names of faults and states come from outside. */
export function isKey(key: string): key is Key {
  return Object.hasOwn(en, key);
}

/** The words of one language. */
export class Words {
  constructor(
    readonly language: Language,
    private readonly strings: Strings,
  ) {}

  say(key: Key, values: Record<string, string | number> = {}): string {
    return format(this.strings[key], values);
  }

  /** A string whose key is made of a word from outside; what has none is shown as it came. */
  sayOf(prefix: string, word: string, suffix = ""): string {
    const key = `${prefix}_${word}${suffix}`;
    return isKey(key) ? this.say(key) : word;
  }
}

/** The words of one part of the page, in a file of their own for each language, so that the live page does not load them. */
export class PartWords<K extends string> {
  /** For dates and figures: that of the browser which is of the page's language, so that a week begins where its reader's does. */
  readonly language: string;

  constructor(
    private readonly words: Words,
    private readonly strings: Record<Language, Record<K, string>>,
  ) {
    this.language = navigator.languages.find((tag) => tag.toLowerCase().startsWith(words.language)) ?? words.language;
  }

  say(key: K, values: Record<string, string | number> = {}): string {
    return format(this.strings[this.words.language][key], values);
  }

  /** A word that the whole page has. */
  shared(key: Key, values: Record<string, string | number> = {}): string {
    return this.words.say(key, values);
  }
}
