#!/usr/bin/env node
/** The command. What it is made of is loaded once the version of Node is known to do: an older one would fail in its midst. */
const { node } = process.versions;
const [major = 0, minor = 0] = node.split(".").map(Number);

if (major > 22 || (major === 22 && minor >= 12)) await import("./start.ts");
else {
  process.stderr.write(`espalier: needs Node 22.12 or newer; this is Node ${node}.\n`);
  process.exitCode = 1;
}

export {};
