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
