import { grid, ink, muted, palette, paper } from "./charts/theme.ts";

/** Counterparts on a dark background of colours that are not a strategy's. */
const dark = { ink: "#e8eaee", muted: "#a3abb8", grid: "#333943", paper: "#16191f" };

/** The page's style. Charts are drawn for a light background; in a dark scheme their colours are replaced by value. */
export function styleSheet(): string {
  const swaps = [
    [ink, dark.ink],
    [muted, dark.muted],
    [grid, dark.grid],
    [paper, dark.paper],
    ...palette.map((color) => [color.light, color.dark]),
  ].flatMap(([from, to]) =>
    ["fill", "stroke"].map((property) => `  .chart [${property}="${from}" i] { ${property}: ${to}; }`),
  );
  return `:root { --ink: ${ink}; --muted: ${muted}; --line: ${grid}; --paper: ${paper}; --raised: #f6f7f9; --link: #0b5cad; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; text-wrap: balance; overflow-wrap: anywhere; }
h2 { margin: 3rem 0 0.75rem; padding-top: 1.25rem; border-top: 1px solid var(--line); font-size: 1.4rem; line-height: 1.25; overflow-wrap: anywhere; }
h3 { margin: 1.75rem 0 0.4rem; font-size: 1.05rem; overflow-wrap: anywhere; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
p { margin: 0.4rem 0 0.8rem; }
.lead { color: var(--muted); }
nav { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; font-size: 0.92rem; }
a { color: var(--link); }
main > h2:first-child { margin-top: 1.5rem; }
figure { margin: 2.25rem 0; }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); }
.chart svg { display: block; width: auto; max-width: 100%; height: auto; }
.row { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
.row figure { margin: 1rem 0; max-width: 100%; }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 0.75rem; margin: 0.6rem 0 1.25rem; }
.answers div { padding: 0.7rem 0.9rem; border: 1px solid var(--line); border-radius: 6px; background: var(--raised); }
.answers dt { color: var(--muted); font-size: 0.84rem; }
.answers dd { margin: 0; overflow-wrap: anywhere; }
.answers .figure { font-size: 1.5rem; font-weight: 600; line-height: 1.3; }
.answers .facts { color: var(--muted); font-size: 0.84rem; }
.fold { margin: 0; border-top: 1px solid var(--line); }
.fold > summary { padding: 0.9rem 0; color: var(--ink); font-size: 1rem; }
.fold > summary h2 { display: inline; margin: 0; padding: 0; border: 0; font-size: 1.15rem; }
.fold[open] { padding-bottom: 1.5rem; }
figcaption { max-width: 46rem; margin-top: 0.3rem; color: var(--muted); font-size: 0.9rem; }
details { margin-top: 0.6rem; }
summary { color: var(--link); cursor: pointer; font-size: 0.9rem; }
.table { margin: 0.6rem 0 1rem; }
.table, .chart { overflow-x: auto; background: linear-gradient(to right, var(--paper), var(--paper)) 0 0 / 1.5rem 100% no-repeat local,
  linear-gradient(to right, var(--paper), var(--paper)) 100% 0 / 1.5rem 100% no-repeat local,
  linear-gradient(to right, var(--line), transparent) 0 0 / 0.7rem 100% no-repeat scroll, linear-gradient(to left, var(--line), transparent) 100% 0 / 0.7rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: 0.84rem; font-variant-numeric: tabular-nums; }
caption { padding: 0 0 0.35rem; color: var(--muted); text-align: left; }
caption span { display: block; max-width: min(46rem, calc(100vw - 2.5rem)); }
th, td { padding: 0.35rem 0.6rem 0.35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; vertical-align: bottom; }
td { white-space: nowrap; }
td.long { white-space: normal; min-width: 18rem; }
th.group { padding-left: 1.2rem; text-align: center; }
.number { padding-left: 0.4rem; text-align: right; }
pre { overflow-x: auto; padding: 0.9rem 1rem; border: 1px solid var(--line); border-radius: 6px; background: var(--raised);
  font: 0.84rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
@media (prefers-color-scheme: dark) {
  :root { --ink: ${dark.ink}; --muted: ${dark.muted}; --line: ${dark.grid}; --paper: ${dark.paper}; --raised: #1e222a; --link: #7db8ff; }
${swaps.join("\n")}
}
@media print {
  body { max-width: none; padding: 0; }
  nav { display: none; }
  details::details-content { content-visibility: visible; }
  figure, tr { break-inside: avoid; }
  .chart svg { min-width: 0 !important; }
}
`;
}
