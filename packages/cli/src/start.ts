import { run } from "./run.ts";

/** Package managers pass the terminal's Ctrl-C on: the same one may arrive twice within this many milliseconds. */
const sameKeypress = 300;

const controller = new AbortController();
let first = 0;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    if (!controller.signal.aborted) {
      first = performance.now();
      controller.abort();
    } else if (performance.now() - first > sameKeypress) process.exit(130);
  });
}

// A reader that has seen enough (`espalier inspect … | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2), { signal: controller.signal });
// What was given up must not keep the process alive.
if (controller.signal.aborted) process.exit();
