/** Numbers as the page says them: those of reports, and values and times of a series. */
import { formatChange, formatCount, formatShare } from "@espalier/report/text";

export {
  formatBytes as bytes,
  formatClock as clock,
  formatCount as count,
  formatDuration as waited,
  formatShort as short,
  formatTime as duration,
  formatTimeStat as durationStat,
} from "@espalier/report/text";

/** A share as `58.4 %`. */
export const percent = (share: number, digits = 1): string => formatShare(share, digits);

/** A change as `−47.1 %`. */
export const change = (from: number, to: number): string => formatChange(to / from);

/** A value of a series with about four digits. */
export const value = (x: number): string => {
  const size = Math.abs(x);
  return size >= 1000 ? formatCount(Math.round(x)) : size >= 100 ? x.toFixed(1) : x.toFixed(size < 1 ? 3 : 2);
};

/** Timestamps read as if the wall clock were UTC: `9 Nov 2017, 14:00`. */
const dated = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
});
const days = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });

export const moment = (timestamp: number): string => dated.format(timestamp);
export const day = (timestamp: number): string => days.format(timestamp);
