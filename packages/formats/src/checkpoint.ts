import type { Tensors } from "@espalier/core";
import { readPytorch } from "./pytorch/checkpoint.ts";
import { readSafetensors } from "./safetensors/safetensors.ts";

/**
 * Tensors of a checkpoint by name, of either format: safetensors, or what PyTorch's `torch.save` wrote of a state dict.
 * Throws an EspalierError that begins with `name` where the file is neither, or not sound.
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
