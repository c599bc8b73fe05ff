/** Writes `results/CLAIMS.md` from `results/sedimark` and `results/kiefer`: `pnpm bench:claims`. */
import { writeFile } from "node:fs/promises";
import { claimsMarkdown, committedStudies } from "./index.ts";

await writeFile(
  new URL("../../results/CLAIMS.md", import.meta.url),
  claimsMarkdown(await committedStudies()),
);
