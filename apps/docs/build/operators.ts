import { type Operator, operators } from "@espalier/core";
// What a backend has a kernel of its own for is nobody's business outside; this table looks where it is decided.
import { kernelsOf } from "../../../packages/backends/tfjs/src/kernels/index.ts";
import { emits } from "../../../packages/backends/wasm/src/kernels/index.ts";
import { anchors } from "../../../packages/backends/webgpu/src/operators/anchors.ts";
import { moves } from "../../../packages/backends/webgpu/src/operators/moves.ts";
import { pointOperators } from "../../../packages/backends/webgpu/src/operators/pointwise.ts";
import { rules } from "../../../packages/formats/src/onnx/operators.ts";
import { emitters } from "../../../packages/formats/src/tfjs/operators.ts";

interface Column {
  readonly title: string;
  /** What stands in an operator's row; an empty text where it does not run. */
  cell(operator: string): string;
}

const yes = "●";

const columns: readonly Column[] = [
  { title: "reference", cell: () => yes },
  { title: "tfjs-cpu, tfjs-wasm", cell: (name) => kernel(name, kernelsOf("wasm").kernels) },
  { title: "tensorflow", cell: (name) => kernel(name, kernelsOf("tensorflow").kernels) },
  { title: "tfjs-webgpu", cell: (name) => kernel(name, kernelsOf("webgpu").kernels) },
  { title: "wasm", cell: (name) => kernel(name, emits) || "○" },
  {
    title: "webgpu",
    cell: (name) =>
      name === "DFT"
        ? "product"
        : kernel(name, anchors) || kernel(name, moves) || kernel(name, pointOperators),
  },
  { title: "to ONNX", cell: (name) => (rules.has(name) ? yes : "") },
  { title: "to TensorFlow.js", cell: (name) => (emitters.has(name) ? yes : "") },
];

function kernel(name: string, kernels: ReadonlyMap<string, unknown>): string {
  // In evaluation dropout is nothing, so no backend has a kernel for it.
  return kernels.has(name) || name === "Dropout" ? yes : "";
}

/** Which operator runs where, as a page. */
export function operatorPage(): string {
  const rows = [...operators.values()].map((operator) => [
    `\`${operator.name}\``,
    traits(operator),
    ...columns.map(({ cell }) => cell(operator.name)),
  ]);
  const head = ["operator", "", ...columns.map(({ title }) => title)];
  const align = ["---", "---", ...columns.map(() => ":-:")];
  return `---
aside: false
pageClass: wide
---

# Operators

Every operator of a graph, and what each backend runs it with. Names and meanings are ONNX's where ONNX has the operator.

- ${yes}: it runs there, by a kernel of its own or as a view that costs nothing.
- ○: it runs there by core's definition in JavaScript: right, and slower than a kernel.
- product: drawn as a product with a constant matrix before anything is compiled.
- Nothing: not there. Operators that end in \`Gradient\` or \`Training\`, \`Adam\` and \`RandomUniform\` occur in training graphs
  only, which are never exported.

${[head, align, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n")}

∇: it has a gradient. F: it counts FLOPs.
`;
}

function traits({ gradient, flops }: Operator): string {
  return [gradient === undefined ? "" : "∇", flops === undefined ? "" : "F"]
    .filter((s) => s !== "")
    .join(" ");
}
