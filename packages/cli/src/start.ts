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

// Nobody may be reading what the command writes (`espalier train … | head`, a closed terminal): its work goes on.
let unwritten = false;
process.stderr.on("error", () => {});
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE" || unwritten) return;
  unwritten = true;
  process.exitCode = 1;
  process.stderr.write(`espalier: the output cannot be written: ${error.message}.\n`);
});

const code = await run(process.argv.slice(2), { signal: controller.signal });
if (!unwritten || code !== 0) process.exitCode = code;
// Abandoned work must not keep the process alive.
if (controller.signal.aborted) process.exit();
