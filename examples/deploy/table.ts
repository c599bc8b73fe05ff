/**
 * Runs the examples in every runtime that is here and writes into the *Deploy* guide where they passed:
 * `pnpm --filter @espalier/example-deploy table`.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const guide = join(root, "apps/docs/guides/deploy.md");
const folder = mkdtempSync(join(tmpdir(), "espalier-table-"));
const report = join(folder, "tests.json");

const vitest = join(root, "node_modules/vitest/vitest.mjs");
const options = [
  "run",
  "examples/deploy",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${report}`,
];
spawnSync(process.execPath, [vitest, ...options], { cwd: root, stdio: "inherit" });

interface Outcome {
  readonly title: string;
  readonly status: string;
  readonly meta: { readonly ran?: readonly string[] };
}

const { testResults } = JSON.parse(readFileSync(report, "utf8"));
rmSync(folder, { recursive: true });
const outcomes: Outcome[] = testResults.flatMap(
  (file: { assertionResults: Outcome[] }) => file.assertionResults,
);
const rows = outcomes.flatMap(({ title, status, meta: { ran } }) => {
  if (status !== "passed") throw new Error(`nothing written: ${title}: ${status}`);
  return ran === undefined ? [] : [`| ${ran.join(" | ")} |`];
});
const table = ["| runs in | version | file |", "| --- | --- | --- |", ...rows].join("\n");
const marked = /(<!-- written by examples\/deploy\/table\.ts -->\n).*?(\n<!-- end -->)/s;
writeFileSync(
  guide,
  readFileSync(guide, "utf8").replace(marked, (_, start, end) => `${start}\n${table}\n${end}`),
);
