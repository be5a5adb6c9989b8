/** What this browser chose before: language and theme. */

import { loadStrings, pickLanguage, Words, type Language } from "./text";

/** Sets both on the document; the words of the language. */
export async function preferred(): Promise<Words> {
  const stored = localStorage.getItem("wavewrap-language");
  const language: Language = stored === "de" || stored === "en" ? stored : pickLanguage(navigator.languages);
  document.documentElement.lang = language;
  document.documentElement.dataset.theme = localStorage.getItem("wavewrap-theme") ?? "";
  return new Words(language, await loadStrings(language));
}
