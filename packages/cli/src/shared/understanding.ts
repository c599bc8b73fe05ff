import { account, type DimensionKind, type Model, prunableDimensions } from "@espalier/core";
import { countElements, type Graph, liveValues, printShape } from "@espalier/core/graph";
import { type ModuleKind, residualModules } from "@espalier/core/pruning";

/** The importer's understanding of a file. */
export interface Understanding {
  readonly inputs: readonly InputFacts[];
  readonly outputs: readonly { readonly name: string; readonly shape: string }[];
  readonly trained: { readonly tensors: number; readonly parameters: number };
  readonly buffers: { readonly tensors: number; readonly numbers: number };
  readonly prunable: readonly KindFacts[];
  readonly blocks: readonly { readonly name: string; readonly kind: ModuleKind; readonly fixed?: string }[];
  readonly frozen: readonly FrozenFacts[];
  /** Share of the trained parameters that no prunable dimension takes along: they can only be masked one by one. */
  readonly outside: number;
  /** Tensors whose roles the file does not tell. */
  readonly guessed: { readonly trainable: readonly string[]; readonly buffers: readonly string[] };
}

export interface InputFacts {
  readonly name: string;
  readonly shape: string;
  readonly role: string;
  readonly read: boolean;
}

export interface KindFacts {
  readonly kind: DimensionKind;
  readonly dimensions: number;
  /** Sizes that occur, with how often. */
  readonly sizes: readonly { readonly size: number; readonly times: number }[];
  /** All sizes together. */
  readonly size: number;
  /** Share of the trained parameters in tensors that have such a dimension. */
  readonly share: number;
}

export interface FrozenFacts {
  readonly reason: string;
  readonly dimensions: readonly { readonly name: string; readonly size: number }[];
}

/** Data's parts by the names that inputs have in Time-Series-Library. */
const roles: Readonly<Record<string, string>> = {
  x_enc: "the history",
  x_mark_enc: "its time marks",
  x_dec: "the decoder's start",
  x_mark_dec: "the decoder's time marks",
};

export function understand(model: Model): Understanding {
  const { graph, dimensions } = model;
  const live = liveValues(graph);
  const trained = graph.tensors.filter(({ role }) => role === "trainable");
  const sizeOf = new Map(
    graph.tensors.map(({ name, value }) => [name, countElements(graph.values[value]!.shape as number[])]),
  );
  const total = account(model).parameters.total;
  const share = (names: Iterable<string>) =>
    [...new Set(names)].reduce((sum, name) => sum + sizeOf.get(name)!, 0) / Math.max(1, total);
  const isTrained = new Set(trained.map(({ name }) => name));
  const prunable = prunableDimensions(dimensions);
  const tensorsOf = (list: typeof prunable) =>
    list.flatMap(({ members }) => members.flatMap(({ tensor }) => (isTrained.has(tensor) ? [tensor] : [])));
  const buffers = graph.tensors.filter(({ role }) => role === "buffer");
  const frozen = dimensions.list.filter(
    ({ fixed, size, members }) =>
      fixed !== undefined && size !== 1 && members.some(({ tensor }) => isTrained.has(tensor)),
  );
  return {
    inputs: graph.inputs.map(({ name, value }) => ({
      ...port(graph, { name, value }),
      role: roles[name] ?? (graph.values[value]!.dtype === "int32" ? "whole numbers" : ""),
      read: live[value] === 1,
    })),
    outputs: graph.outputs.map((one) => port(graph, one)),
    trained: { tensors: trained.length, parameters: total },
    buffers: {
      tensors: buffers.length,
      numbers: buffers.reduce((sum, { name }) => sum + sizeOf.get(name)!, 0),
    },
    prunable: [...Map.groupBy(prunable, ({ kind }) => kind)].map(([kind, list]) => ({
      kind,
      dimensions: list.length,
      sizes: [...Map.groupBy(list, ({ size }) => size)]
        .map(([size, same]) => ({ size, times: same.length }))
        .sort((a, b) => b.size - a.size),
      size: list.reduce((sum, { size }) => sum + size, 0),
      share: share(tensorsOf(list)),
    })),
    blocks: residualModules(graph, dimensions).map(({ name, kind, fixed }) => ({
      name,
      kind,
      ...(fixed === undefined ? {} : { fixed }),
    })),
    // Which node it was would make a reason of each.
    frozen: [...Map.groupBy(frozen, ({ fixed }) => fixed!.replace(/ \([^()]*\)$/, ""))]
      .map(([reason, list]) => ({
        reason,
        dimensions: list.map(({ name, size }) => ({ name, size: size as number })),
      }))
      .sort((a, b) => b.dimensions.length - a.dimensions.length),
    outside: 1 - share(tensorsOf(prunable)),
    guessed: guessedIn(model),
  };
}

function port(graph: Graph, { name, value }: Graph["inputs"][number]) {
  return { name, shape: printShape(graph.values[value]!.shape) };
}

function guessedIn({ metadata, graph }: Model): Understanding["guessed"] {
  const { guessed } = (metadata.onnx ?? {}) as { guessed?: Understanding["guessed"] };
  const there = new Set(graph.tensors.map(({ name }) => name));
  const kept = (names: readonly string[] = []) => names.filter((name) => there.has(name));
  return { trainable: kept(guessed?.trainable), buffers: kept(guessed?.buffers) };
}
