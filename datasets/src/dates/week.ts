const day = 86_400_000;

/** 1 for Monday to 7 for Sunday. */
export const weekday = (date: Date): number => ((date.getUTCDay() + 6) % 7) + 1;

/** The year and number of a date's ISO 8601 week: that with the year's first Thursday is week 1. */
export function isoWeek(date: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(date.getTime() + (4 - weekday(date)) * day);
  const year = thursday.getUTCFullYear();
  return { year, week: Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / day / 7) + 1 };
}
