import { defineConfig } from "vitest/config";

/** Packages are tested from their sources: no build step comes first. */
const conditions = ["@espalier/source", "module", "node", "development|production"];

export default defineConfig({
  ssr: { resolve: { conditions } },
  test: {
    include: ["{packages,datasets,examples,release,studies}/**/test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Vitest keeps a core free by default, which on two cores leaves one.
    maxWorkers: "100%",
  },
});
