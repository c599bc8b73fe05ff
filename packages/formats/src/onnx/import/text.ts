/** A name from a file, made safe for a message: one line, not too long, without control characters. */
export function shown(name: string): string {
  const line = name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
  return line.length > 80 ? `"${line.slice(0, 77)}…"` : `"${line}"`;
}
