/** JSON text with the members of objects sorted by name, so that equal values give equal bytes. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) {
    const plain = value.every((part) => typeof part === "number" && Number.isFinite(part));
    return plain ? `[${value.join()}]` : `[${value.map(canonicalJson).join()}]`;
  }
  const members = value as Readonly<Record<string, unknown>>;
  const names = Object.keys(members).filter((name) => members[name] !== undefined);
  return `{${names.sort().map((name) => `${JSON.stringify(name)}:${canonicalJson(members[name])}`)}}`;
}
