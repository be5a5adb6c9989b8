/** The words of the history. */

import de from "../strings/history-de.json";
import en from "../strings/history-en.json";
import { PartWords, type Words } from "../text";

export type HistoryKey = keyof typeof en;

export class HistoryWords extends PartWords<HistoryKey> {
  constructor(words: Words) {
    super(words, { en, de });
  }

  sayOf(prefix: string, word: string): string {
    const key = `${prefix}_${word}`;
    return Object.hasOwn(en, key) ? this.say(key as HistoryKey) : word;
  }
}
