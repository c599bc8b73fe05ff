/** A name for every cell: empty ones get a number, repeated ones a suffix (`a`, `a.1`), as pandas has it. */
export function uniqueNames(cells: readonly string[]): string[] {
  const taken = new Set<string>();
  return cells.map((cell, index) => {
    const base = cell === "" ? `column_${index + 1}` : cell;
    let name = base;
    for (let n = 1; taken.has(name); n++) name = `${base}.${n}`;
    taken.add(name);
    return name;
  });
}
