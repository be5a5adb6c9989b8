/** What this browser chose before: language and theme. */

import { pickLanguage, Words, type Language } from "./text";

/** Sets both on the document; the words of the language. */
export function preferred(): Words {
  const stored = localStorage.getItem("wavewrap-language");
  const language: Language = stored === "de" || stored === "en" ? stored : pickLanguage(navigator.languages);
  document.documentElement.lang = language;
  document.documentElement.dataset.theme = localStorage.getItem("wavewrap-theme") ?? "";
  return new Words(language);
}
