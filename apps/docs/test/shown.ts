/**
 * Compares what a guide shows with what was printed: line by line from the first that is shown on; a line "…" stands for
 * any number of lines. Words are the same; numbers may differ as processors and rounding make them.
 */
export function expectShown(shown: string, printed: string): void {
  const lines = printed.split("\n").filter((line) => line.trim() !== "");
  let at = 0;
  let anywhere = true;
  for (const line of shown.split("\n").filter((one) => one.trim() !== "")) {
    if (line.trim() === "…") {
      anywhere = true;
      continue;
    }
    const found = lines.findIndex((one, i) => i >= at && sameLine(line, one));
    if (found < 0 || (!anywhere && found !== at)) {
      throw new Error(
        `the guide shows "${line}", but the commands print:\n${lines.slice(at, at + 30).join("\n")}`,
      );
    }
    at = found + 1;
    anywhere = false;
  }
}

function sameLine(shown: string, printed: string): boolean {
  const [a, b] = [shown, printed].map((line) => line.trim().split(/[\s,]+/));
  return a!.length === b!.length && a!.every((word, i) => sameWord(word, b![i]!));
}

/** Numbers within a tenth, or, of small changes in percent, within 10 points. */
function sameWord(a: string, b: string): boolean {
  if (a === b) return true;
  const [x, y] = [a, b].map((word) => Number(word.replace("−", "-").replace(/[,:;%]/g, "")));
  return Math.abs(x! - y!) <= Math.max(0.1 * Math.abs(x!), /^[+−]/.test(a) ? 10 : 0);
}
