import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sharedTfjs } from "../tensorflow/load.ts";
import { names } from "../tensorflow/location.ts";

/**
 * Copies the JavaScript of @tensorflow/tfjs-node that runs operators. Its import of TensorFlow.js resolves to the one
 * that the process has loaded, so that the installation belongs to no project's `node_modules`.
 */
export async function copyKernels(sources: string, folder: string): Promise<void> {
  const to = join(folder, names.package);
  await mkdir(join(to, "dist/proto"), { recursive: true });
  for (const file of ["package.json", "dist/nodejs_kernel_backend.js", "dist/int64_tensors.js"])
    await cp(join(sources, file), join(to, file));
  await cp(join(sources, "dist/register_all_kernels.js"), join(to, "dist/register_all_kernels.js"));
  await cp(join(sources, "dist/kernels"), join(to, "dist/kernels"), {
    recursive: true,
    filter: (name) => !/_test\.|\.d\.ts$/.test(name),
  });
  // Messages for TensorBoard, which need a package of their own.
  await writeFile(join(to, "dist/proto/api_pb.js"), "module.exports = {};\n");
  for (const name of names.tfjs) {
    await mkdir(join(folder, name), { recursive: true });
    const text = `module.exports = globalThis[Symbol.for("${sharedTfjs}")];\n`;
    await writeFile(join(folder, name, "index.js"), text);
  }
}
