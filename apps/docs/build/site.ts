import { fileURLToPath } from "node:url";
import { build, createServer } from "vitepress";
import { generate } from "./generate.ts";

/**
 * `site.ts dev` serves the site and follows changes of its pages; `site.ts build` writes it to `.vitepress/dist`. What is
 * made from the sources (reference, results) is made anew first. `DOCS_BASE` is the path it will be served under.
 */
const root = fileURLToPath(new URL("..", import.meta.url));
const [task = "build"] = process.argv.slice(2);

try {
  await generate(root);
  if (task === "dev") {
    const server = await createServer(root, { host: "localhost" });
    await server.listen();
    server.printUrls();
  } else if (task === "build") await build(root);
  else throw new Error(`"${task}" is neither dev nor build.`);
} catch (error) {
  console.error(`docs: ${(error as Error).message}`);
  process.exitCode = 1;
}
