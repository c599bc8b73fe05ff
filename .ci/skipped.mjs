// Prints the test files in which something is skipped because the machine lacks it, from Vitest's JSON report: such
// tests say "skipped: …" in their name or their suite's.
import { readFileSync } from "node:fs";

const { testResults } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const lacks = ({ status, fullName }) => /skipped|pending/.test(status) && fullName.includes("skipped: ");
for (const { name, assertionResults } of testResults) if (assertionResults.some(lacks)) console.log(name);
