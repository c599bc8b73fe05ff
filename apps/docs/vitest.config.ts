import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** `docs:test`: the built site in a browser, and the code of its guides against packed packages. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  ssr: { resolve: { conditions: ["@espalier/source", "module", "node", "development|production"] } },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // Each file keeps a browser or a package manager busy: two at a time are what two cores can do.
    maxWorkers: 2,
  },
});
