/** The words of the history, in a file of their own for each language, so that the live page does not load them. */

import de from "../strings/history-de.json";
import en from "../strings/history-en.json";
import { format, type Key, type Words } from "../text";

export type HistoryKey = keyof typeof en;

const strings: Record<string, Record<HistoryKey, string>> = { en, de };

export class HistoryWords {
  /** For dates and figures: that of the browser which is of the page's language, so that a week begins where its reader's does. */
  readonly language: string;

  constructor(private readonly words: Words) {
    this.language = navigator.languages.find((tag) => tag.toLowerCase().startsWith(words.language)) ?? words.language;
  }

  say(key: HistoryKey, values: Record<string, string | number> = {}): string {
    return format((strings[this.words.language] ?? en)[key], values);
  }

  /** A word that the live page has too. */
  shared(key: Key, values: Record<string, string | number> = {}): string {
    return this.words.say(key, values);
  }

  sayOf(prefix: string, word: string): string {
    const key = `${prefix}_${word}`;
    return Object.hasOwn(en, key) ? this.say(key as HistoryKey) : word;
  }
}
