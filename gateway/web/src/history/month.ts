/** The days of a month in weeks, as a calendar shows them. Pure. */

/** Monday is 1, Sunday 7. Where the browser does not know it for a language, weeks begin on Monday. */
export function firstWeekday(language: string): number {
  const locale = new Intl.Locale(language).maximize() as Intl.Locale & { getWeekInfo?: () => { firstDay: number }; weekInfo?: { firstDay: number } };
  return locale.getWeekInfo?.().firstDay ?? locale.weekInfo?.firstDay ?? 1;
}

/** Whole weeks that cover the month; `month` counts from 0 and may be out of range. */
export function weeksOf(year: number, month: number, first: number): Date[][] {
  const begin = new Date(year, month, 1);
  const before = (((begin.getDay() + 6) % 7) + 1 - first + 7) % 7;
  const days = new Date(begin.getFullYear(), begin.getMonth() + 1, 0).getDate();
  const weeks: Date[][] = [];
  for (let at = -before; at < days; at += 7) {
    weeks.push(Array.from({ length: 7 }, (_, i) => new Date(begin.getFullYear(), begin.getMonth(), 1 + at + i)));
  }
  return weeks;
}

/** Short names of the days of a week, in order. */
export function weekdays(language: string, first: number): { short: string; long: string }[] {
  // 1 January 2024 was a Monday.
  return Array.from({ length: 7 }, (_, i) => {
    const day = new Date(2024, 0, first + i);
    return { short: day.toLocaleDateString(language, { weekday: "short" }), long: day.toLocaleDateString(language, { weekday: "long" }) };
  });
}
