import { writeFile } from "node:fs/promises";
import { claimsMarkdown, readResults } from "@espalier/bench";

/** Writes `results/CLAIMS.md` from `results/sedimark` and `results/kiefer`: `pnpm bench:claims`. */
const results = new URL("../../../results/", import.meta.url);
const read = (name: string) => readResults(new URL(`${name}/results.jsonl`, results).pathname);
const text = claimsMarkdown({ sedimark: await read("sedimark"), kiefer: await read("kiefer") });
await writeFile(new URL("CLAIMS.md", results), text);
