import { run } from "./run.ts";

/** Package managers forward Ctrl-C, so the same key press may arrive twice within this many milliseconds. */
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

// A reader that stops early (`espalier inspect … | head`) is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`espalier: the output cannot be written: ${error.message}.\n`);
  process.exit(1);
});

process.exitCode = await run(process.argv.slice(2), { signal: controller.signal });
// Abandoned work must not keep the process alive.
if (controller.signal.aborted) process.exit();
