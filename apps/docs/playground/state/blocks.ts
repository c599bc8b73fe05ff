import type { HeadRow, Picture } from "../worker/pictures.ts";

/** Weights of one layer of the model, with its attention's heads. */
export interface Block {
  readonly name: string;
  readonly heads: readonly HeadRow[];
  readonly pictures: readonly { readonly picture: Picture; readonly name: string }[];
}

/** Sorts tensors by the first number in their names: `encoder.attn_layers.0.…` is one block; what has none is another. */
export function blocksOf(pictures: readonly Picture[], heads: readonly HeadRow[]): Block[] {
  const blocks = new Map<string, { heads: HeadRow[]; pictures: { picture: Picture; name: string }[] }>();
  const blockOf = (tensor: string) => {
    const parts = tensor.split(".");
    const at = parts.findIndex((part) => /^\d+$/.test(part));
    // A number at the end counts tensors, not blocks.
    const name = at < 1 || at === parts.length - 1 ? "" : parts.slice(0, at + 1).join(".");
    const block = blocks.get(name) ?? { heads: [], pictures: [] };
    blocks.set(name, block);
    return { block, rest: name === "" ? tensor : tensor.slice(name.length + 1) };
  };
  for (const picture of pictures) {
    const { block, rest } = blockOf(picture.tensor);
    block.pictures.push({ picture, name: rest.replace(/\.weight$/, "") });
  }
  for (const row of heads) blockOf(`${row.name}.heads`).block.heads.push(row);
  return [...blocks].map(([name, block]) => ({ name, ...block, pictures: shortened(block.pictures) }));
}

/** Names by as many of their last parts as tell them apart. */
function shortened<T extends { readonly name: string }>(items: readonly T[]): T[] {
  const last = (name: string, parts: number) => name.split(".").slice(-parts).join(".");
  return items.map((item) => {
    let parts = 1;
    const depth = item.name.split(".").length;
    while (
      parts < depth &&
      items.filter(({ name }) => last(name, parts) === last(item.name, parts)).length > 1
    )
      parts++;
    return { ...item, name: last(item.name, parts) };
  });
}
