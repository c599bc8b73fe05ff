/** Cells that a table may have whatever it was made of, and how many a cell that was read may become. */
const [always, each] = [1_000_000, 100];

/** Whether a table is larger than its limit, or than what was read can be meant to fill. */
export function isBeyond(cells: number, read: number, limit: number): boolean {
  return cells > limit || (cells > always && cells > each * read);
}
