import type { Answers } from "./answers.ts";
import { chartPadding, paper } from "./charts/theme.ts";
import { type Block, type Document, tableToggle } from "./document.ts";
import type { Figure } from "./figure.ts";
import { styleSheet } from "./style.ts";
import type { Column, Table } from "./table.ts";

/** The report as one self-contained page, including style and charts. `svgs` holds the charts by the name of their figure. */
export function toHtml({ title, lead, blocks }: Document, svgs: ReadonlyMap<string, string>): string {
  const headings = blocks.flatMap((block, i) =>
    block.kind === "heading" && block.level === 2
      ? [{ text: block.text, id: `section-${i}` }]
      : block.kind === "details"
        ? [{ text: block.summary, id: `section-${i}` }]
        : [],
  );
  const body = blocks.map((block, i) => blockHtml(block, `section-${i}`, svgs));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>
${styleSheet()}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
<p class="lead">${escapeHtml(lead)}</p>
<nav aria-label="Contents">
${headings.map(({ text, id }) => `<a href="#${id}">${escapeHtml(text)}</a>`).join("\n")}
</nav>
</header>
<main>
${body.join("\n")}
</main>
</body>
</html>
`;
}

function blockHtml(block: Block, id: string, svgs: ReadonlyMap<string, string>): string {
  switch (block.kind) {
    case "heading":
      return `<h${block.level} id="${id}">${escapeHtml(block.text)}</h${block.level}>`;
    case "paragraph":
      return `<p>${escapeHtml(block.text)}</p>`;
    case "list":
      return `<ul>\n${block.items.map((item) => `<li>${escapeHtml(item)}</li>`).join("\n")}\n</ul>`;
    case "table":
      return tableHtml(block.table);
    case "code":
      return `<pre tabindex="0"><code>${escapeHtml(block.text)}</code></pre>`;
    case "figure":
      return figureHtml(block.figure, svgs.get(block.figure.name)!);
    case "figures":
      return `<div class="row">\n${block.figures.map((figure) => figureHtml(figure, svgs.get(figure.name)!)).join("\n")}\n</div>`;
    case "answers":
      return answersHtml(block.answers);
    case "details":
      return `<details class="fold" id="${id}">
<summary><h2>${escapeHtml(block.summary)}</h2></summary>
${block.blocks.map((inner, i) => blockHtml(inner, `${id}-${i}`, svgs)).join("\n")}
</details>`;
  }
}

function answersHtml({ title, lead, answers }: Answers): string {
  const cards = answers.map(
    ({ question, figure, who, facts }) =>
      `<div><dt>${escapeHtml(question)}</dt><dd class="figure">${escapeHtml(figure)}</dd><dd>${escapeHtml(unbroken(who))}</dd>${facts.map((fact) => `<dd class="facts">${escapeHtml(fact)}</dd>`).join("")}</div>`,
  );
  const list = cards.length === 0 ? "" : `\n<dl class="answers">\n${cards.join("\n")}\n</dl>`;
  return `<h3>${escapeHtml(title)}</h3>
<p class="lead">${escapeHtml(lead)}</p>${list}`;
}

/** Keeps `≥ 50 %` on one line. */
function unbroken(text: string): string {
  return text.replace(/ %/g, "\u00a0%").replace(/([≥≤]) /g, "$1\u00a0");
}

function figureHtml({ name, title, alt, caption, table }: Figure, svg: string): string {
  const details =
    table === undefined
      ? ""
      : `\n<details>\n<summary>${tableToggle}</summary>\n${tableHtml(table)}\n</details>`;
  return `<figure>
<h3 class="unseen">${escapeHtml(title)}</h3>
<div class="chart" tabindex="0" role="group" aria-label="${escapeHtml(title)}">${inline(svg, name, alt)}</div>
${caption === "" ? "" : `<figcaption>${escapeHtml(caption)}</figcaption>`}${details}
</figure>`;
}

/** The least size of a chart's letters in a narrow page, relative to a wide one; a chart that is still wider is scrolled. */
const leastScale = 0.8;

/**
 * Makes an SVG fit for a page with others: one image for a screen reader, unique names, and the left edge of the text around
 * it at every scale. The page shows through: its shadow says that a chart goes on. A pointer that rests on a mark with a
 * description shows it.
 */
function inline(svg: string, name: string, alt: string): string {
  return svg
    .replace(
      /<path aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="[^"]*"([^>]*)\/>/g,
      "<path$2><title>$1</title></path>",
    )
    .replace(/ width="\d+" height="\d+" viewBox="0 0 (\d+) (\d+)"/, (_, width: string, height: string) => {
      const shown = Number(width) - chartPadding;
      const least = Math.round(leastScale * shown);
      return ` width="${shown}" height="${height}" style="min-width:${least}px" viewBox="${chartPadding} 0 ${shown} ${height}"`;
    })
    .replace(new RegExp(`(<svg [^>]*>)<rect [^>]*fill="${paper}"/>`), "$1")
    .replace(/^<svg /, `<svg role="img" aria-label="${escapeHtml(alt)}" `)
    .replace(/\bid="([^"]+)"/g, `id="${name}-$1"`)
    .replace(/url\(#([^)]+)\)/g, `url(#${name}-$1)`);
}

function tableHtml({ caption, columns, rows }: Table): string {
  const kind = ({ numeric }: Column, cell = ""): string =>
    numeric ? ' class="number"' : cell.length > 32 ? ' class="long"' : "";
  const head = columns
    .map((column) => `<th scope="col"${kind(column)}>${escapeHtml(column.label)}</th>`)
    .join("");
  const body = rows.map(
    (row) =>
      `<tr>${row.map((cell, i) => `<td${kind(columns[i]!, cell)}>${escapeHtml(cell)}</td>`).join("")}</tr>`,
  );
  return `<div class="table" tabindex="0" role="group" aria-label="${escapeHtml(caption)}">
<table>
<caption><span>${escapeHtml(caption)}</span></caption>
<thead>${groupRow(columns)}<tr>${head}</tr></thead>
<tbody>
${body.join("\n")}
</tbody>
</table>
</div>`;
}

/** Headings over groups of columns, if there are any. */
function groupRow(columns: readonly Column[]): string {
  if (columns.every(({ group }) => group === undefined)) return "";
  const spans: { group: string; count: number }[] = [];
  for (const { group = "" } of columns) {
    const last = spans.at(-1);
    if (last?.group === group) last.count++;
    else spans.push({ group, count: 1 });
  }
  const cells = spans.map(({ group, count }) =>
    group === ""
      ? `<td colspan="${count}"></td>`
      : `<th scope="colgroup" colspan="${count}" class="group">${escapeHtml(group)}</th>`,
  );
  return `<tr>${cells.join("")}</tr>`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text from users' files for an element or an attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (mark) => entities[mark]!);
}
