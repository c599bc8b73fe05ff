import { stripVTControlCharacters } from "node:util";
import { cutMiddle, formatClock, wrapText } from "@espalier/report/text";
import type { Context } from "../context.ts";
import { shareBar } from "./table.ts";

/** Progress of a task. */
export interface BarState {
  readonly label: string;
  /** Share done, from 0 to 1. */
  readonly share: number;
  /** Text after the bar, such as a loss or a size. */
  readonly detail?: string | undefined;
  /** Seconds left, null if they cannot be estimated yet; by default they follow from the pace since the bar began. */
  readonly remaining?: number | null | undefined;
}

/** Progress on stderr: one line that is redrawn in a terminal, or a line every now and then elsewhere. */
export interface Bar {
  update(state: BarState): void;
  /** Prints a permanent line above the bar. */
  line(text: string): void;
  /** Removes the bar. */
  stop(): void;
}

/** Milliseconds: time before a bar first appears; between two drawings; between two lines if nothing can be redrawn. */
const [quiet, frame, interval] = [400, 80, 10_000];
/** Seconds after which the pace is reliable. */
const settled = 1;
const barWidth = 24;

export async function openBar(context: Context): Promise<Bar> {
  return context.stderr.isTTY === true ? terminalBar(context) : plainBar(context);
}

/** Maps the progress of one half of a task, from `start` on, to the bar; such as reading, then writing. */
export function stage(bar: Bar, label: string, start: number): (share: number) => void {
  return (share) => bar.update({ label, share: start + share / 2 });
}

async function terminalBar(context: Context): Promise<Bar> {
  const { createLogUpdate } = await import("log-update");
  // The cursor is not hidden: whatever ended the process would have to bring it back.
  const draw = createLogUpdate(context.stderr as NodeJS.WriteStream, { showCursor: true });
  const pace = createPace();
  let drawn = pace.start - frame + quiet;
  let last: string | undefined;
  return {
    update(state) {
      const now = performance.now();
      const remaining = pace.remaining(state, now);
      if (now - drawn < frame) return;
      drawn = now;
      last = barLine(state, remaining, context);
      draw(last);
    },
    line(text) {
      const { columns = 80 } = context.stderr;
      const long = stripVTControlCharacters(text).length > columns;
      draw.persist(long ? wrapText(text, columns, "  ").join("\n") : text);
      if (last !== undefined) draw(last);
    },
    stop() {
      if (last !== undefined) draw.clear();
      last = undefined;
    },
  };
}

function plainBar(context: Context): Bar {
  const pace = createPace();
  let written = pace.start;
  return {
    update(state) {
      const now = performance.now();
      const remaining = pace.remaining(state, now);
      if (now - written < interval) return;
      written = now;
      context.note(parts(state, remaining).join(", "));
    },
    line: (text) => context.note(text),
    stop() {},
  };
}

/** Estimates the time that remains from the pace since the first state. */
function createPace() {
  const start = performance.now();
  let first: { readonly share: number; readonly at: number } | undefined;
  return {
    start,
    remaining(state: BarState, now: number): number | undefined {
      if (state.remaining !== undefined) return state.remaining ?? undefined;
      first ??= { share: state.share, at: now };
      const seconds = (now - first.at) / 1000;
      const done = state.share - first.share;
      return seconds < settled || done <= 0 ? undefined : (seconds * (1 - state.share)) / done;
    },
  };
}

function parts({ label, share, detail }: BarState, remaining: number | undefined): string[] {
  const left = remaining === undefined ? [] : [`${formatClock(remaining)} left`];
  return [label, `${Math.floor(100 * share)} %`, ...(detail === undefined ? [] : [detail]), ...left];
}

function barLine(state: BarState, remaining: number | undefined, context: Context): string {
  const { noteColors: c, stderr } = context;
  const [label, share, ...rest] = parts(state, remaining);
  const texts = [share!.padStart(5), ...rest].join("  ");
  const room = (stderr.columns ?? 80) - 1;
  const width = Math.min(barWidth, room - label!.length - texts.length - 4);
  if (width < 6) return `${cutMiddle(label!, Math.max(1, room - texts.length - 2))}  ${texts}`.slice(0, room);
  const { full, rest: empty } = shareBar(state.share, width);
  return [label!, c.cyan(full) + c.dim(empty), texts].join("  ");
}
