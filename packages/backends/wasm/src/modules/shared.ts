/** Ids and flags of WebAssembly's binary format (core specification 1.0, chapter 5; flags of the threads proposal). */
const importSection = 2;
const memoryImport = 2;
const limitsShared = 3;

/** LEB128 of 65536 pages, the most that addresses of 32 bits reach. */
const maxPages = [0x80, 0x80, 0x04];

/**
 * The same kernels for shared memory: the memory that a module imports, its only import, is declared as shared. No
 * instruction differs, so that results do not either, and no second pair of modules has to be carried along.
 */
export function withSharedMemory(module: Uint8Array): Uint8Array<ArrayBuffer> {
  let at = 8;
  while (module[at] !== importSection) {
    const size = readSize(module, at + 1);
    at = size.end + size.value;
  }
  const size = readSize(module, at + 1);
  const start = size.end;
  const end = start + size.value;
  const flags = memoryFlags(module, start);
  const pages = module.subarray(flags + 1, end);
  const body = [...module.subarray(start, flags), limitsShared, ...pages, ...maxPages];
  return Uint8Array.from([
    ...module.subarray(0, at),
    importSection,
    body.length,
    ...body,
    ...module.subarray(end),
  ]);
}

/** Position of the flags of the imported memory. */
function memoryFlags(module: Uint8Array, start: number): number {
  let at = start + 1;
  for (let name = 0; name < 2; name++) at += 1 + module[at]!;
  if (module[start] !== 1 || module[at] !== memoryImport || module[at + 1] !== 0) {
    throw new Error("the kernels import something else than one memory: see build/compile.ts");
  }
  return at + 1;
}

/** An unsigned LEB128 number. */
function readSize(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return { value, end: at };
  }
}
