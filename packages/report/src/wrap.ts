/** Wraps words to lines of a given width. A word that is too long gets a line of its own. */
export function wrap(words: readonly string[], width: number, between = " "): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + between.length + word.length <= width) {
      lines[lines.length - 1] = `${last}${between}${word}`;
    } else lines.push(word);
  }
  return lines;
}

/** Wraps a text at spaces; lines after the first begin with `indent`. */
export function wrapText(text: string, width: number, indent = ""): string[] {
  // A sign stays with its number.
  return wrap(text.split(/ (?![%×±−])/), width - indent.length).map((line, i) =>
    i === 0 ? line : indent + line,
  );
}

/** Shortens a text to a width in its middle: names differ at their ends. */
export function cutMiddle(text: string, width: number): string {
  if (text.length <= width) return text;
  const end = Math.floor((width - 1) / 2);
  return `${text.slice(0, width - 1 - end)}…${text.slice(text.length - end)}`;
}
