import type { Tensors } from "@espalier/core";
import { readPytorch } from "./pytorch/checkpoint.ts";
import { readSafetensors } from "./safetensors/safetensors.ts";

/**
 * Reads the tensors of a checkpoint by name, in either format: safetensors, or a state dict saved by PyTorch's
 * `torch.save`. Throws an EspalierError that begins with `name` if the file is neither, or damaged.
 */
export async function readCheckpoint(
  bytes: Uint8Array,
  { name = "checkpoint" }: { readonly name?: string } = {},
): Promise<Tensors> {
  const zip = bytes[0] === 0x50 && bytes[1] === 0x4b;
  const pickle = bytes[0] === 0x80 && bytes[8] !== 0x7b;
  return zip || pickle
    ? (await readPytorch(bytes, { name })).tensors
    : readSafetensors(bytes, { name }).tensors;
}
