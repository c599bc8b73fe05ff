import type { Command } from "commander";
import type { Context } from "../context.ts";

/** One command. Its module defines its options and its action, and is loaded only when the command is named. */
export interface CommandEntry {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  load(): Promise<{ define(command: Command, context: Context): void | Promise<void> }>;
}

export const commands: readonly CommandEntry[] = [
  { name: "train", summary: "Train a model on a data set.", load: () => import("./train.ts") },
  { name: "prune", summary: "Prune a model and fine-tune it.", load: () => import("./prune.ts") },
  {
    name: "search",
    summary: "Find the smallest or fastest model within an error.",
    load: () => import("./search.ts"),
  },
  {
    name: "inspect",
    summary: "Show the costs of a model and which parts can be pruned.",
    load: () => import("./inspect.ts"),
  },
  { name: "evaluate", summary: "Measure a model's forecast errors.", load: () => import("./evaluate.ts") },
  {
    name: "predict",
    summary: "Forecast the rows that follow a CSV file.",
    load: () => import("./predict.ts"),
  },
  {
    name: "export",
    summary: "Write a model for ONNX, TensorFlow.js or safetensors.",
    load: () => import("./export.ts"),
  },
  {
    name: "import",
    summary: "Make a model from an ONNX file or from weights.",
    load: () => import("./import.ts"),
  },
  {
    name: "sweep",
    summary: "Compare strategies at many sparsities and draw the report.",
    load: () => import("./sweep.ts"),
  },
  { name: "worker", summary: "Run cells of sweeps that others submit.", load: () => import("./worker.ts") },
  {
    name: "queue",
    summary: "Show, cancel and tidy up sweeps on many machines.",
    load: () => import("./queue.ts"),
  },
  {
    name: "replay",
    summary: "Repeat the pruning of a model from its history.",
    load: () => import("./replay.ts"),
  },
  { name: "recipe", summary: "Check a pruning recipe.", load: () => import("./recipe.ts") },
  { name: "report", summary: "Draw the report of a results file.", load: () => import("./report.ts") },
  {
    name: "backends",
    summary: "List the backends that models can run on here.",
    load: () => import("./backends.ts"),
  },
  { name: "datasets", summary: "List data sets, or download one.", load: () => import("./datasets.ts") },
  {
    name: "verify",
    summary: "Compare models with reference numbers from PyTorch.",
    load: () => import("./verify.ts"),
  },
];
