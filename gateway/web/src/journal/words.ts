/** The words of the recovery journal. */

import de from "../strings/journal-de.json";
import en from "../strings/journal-en.json";
import { PartWords, type Words } from "../text";
import type { Question } from "./entries";

export type JournalKey = keyof typeof en;

export class JournalWords extends PartWords<JournalKey> {
  constructor(words: Words) {
    super(words, { en, de });
  }

  number(value: number, digits: number): string {
    return value.toLocaleString(this.language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  /** "Wed 25 Nov, 18:30" */
  when(unix_s: number): string {
    return new Date(unix_s * 1000).toLocaleString(this.language, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  }

  time(unix_s: number): string {
    return new Date(unix_s * 1000).toLocaleTimeString(this.language, { hour: "2-digit", minute: "2-digit" });
  }

  /** What a question is about: "24 h after the session of Tue 24 Nov, 18:30". */
  about(question: Question): string {
    const at = this.when(question.began_unix_s);
    return this.say(`about_${question.of}_${question.moment}` as JournalKey, { at });
  }
}
