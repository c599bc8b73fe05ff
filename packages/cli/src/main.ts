#!/usr/bin/env node
/** The entry point. It checks the version of Node before it loads the rest, which an older version could not run. */
const { node } = process.versions;
const [major = 0, minor = 0] = node.split(".").map(Number);

if (major > 22 || (major === 22 && minor >= 12)) await import("./start.ts");
else {
  process.stderr.write(`espalier: needs Node 22.12 or newer; this is Node ${node}.\n`);
  process.exitCode = 1;
}

export {};
