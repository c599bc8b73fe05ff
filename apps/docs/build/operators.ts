import { wasm } from "@espalier/backend-wasm";
import { type Operator, operators } from "@espalier/core/graph";
import { drawCase, operatorCases } from "@espalier/core/testing";
// What a backend has a kernel of its own for is nobody's business outside; this table looks where it is decided.
import { kernelsOf } from "../../../packages/backends/tfjs/src/kernels/index.ts";
import { anchors } from "../../../packages/backends/webgpu/src/operators/anchors.ts";
import { moves } from "../../../packages/backends/webgpu/src/operators/moves.ts";
import { pointOperators } from "../../../packages/backends/webgpu/src/operators/pointwise.ts";
import { rules } from "../../../packages/formats/src/onnx/operators.ts";
import { emitters } from "../../../packages/formats/src/tfjs/operators.ts";

interface Column {
  readonly title: string;
  /** Text of an operator's cell; empty if it does not run. */
  cell(operator: string): string;
}

const yes = "●";

const columns = (onWasm: ReadonlyMap<string, string>): readonly Column[] => [
  { title: "reference", cell: () => yes },
  { title: "tfjs-cpu, tfjs-wasm", cell: (name) => kernel(name, kernelsOf("wasm").kernels) },
  { title: "tensorflow", cell: (name) => kernel(name, kernelsOf("tensorflow").kernels) },
  { title: "tfjs-webgpu", cell: (name) => kernel(name, kernelsOf("webgpu").kernels) },
  { title: "wasm", cell: (name) => onWasm.get(name)! },
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

/** How the WASM backend runs every operator, found by compiling the conformance suite's cases. */
async function seenOnWasm(): Promise<ReadonlyMap<string, string>> {
  const backend = wasm();
  const seen = new Map<string, Set<boolean>>();
  for (const one of operatorCases) {
    const { graph } = drawCase(one);
    const state = await backend.createState(new Map());
    const program = await backend.compile(graph, { state });
    const kernels = program.describe!(2).calls.map(({ kernel }) => kernel);
    const known = seen.get(one.operator) ?? new Set();
    seen.set(one.operator, known.add(!kernels.includes("JavaScript")));
    program.dispose();
    state.dispose();
  }
  const mark = (own: ReadonlySet<boolean>) => (own.size === 2 ? "◐" : own.has(true) ? yes : "○");
  return new Map([...seen].map(([name, own]) => [name, mark(own)]));
}

/** A page that lists which backend runs which operator. */
export async function operatorPage(): Promise<string> {
  const all = columns(await seenOnWasm());
  const rows = [...operators.values()].map((operator) => [
    `\`${operator.name}\``,
    traits(operator),
    ...all.map(({ cell }) => cell(operator.name)),
  ]);
  const head = ["operator", "", ...all.map(({ title }) => title)];
  const align = ["---", "---", ...all.map(() => ":-:")];
  return `---
aside: false
pageClass: wide
---

# Operators

Every operator of a graph, and what each backend runs it with. Names and meanings are ONNX's where ONNX has the operator.

- ${yes}: it runs there, by a kernel of its own or as a view that costs nothing.
- ○: it runs there by core's definition in JavaScript: right, and slower than a kernel. ◐: in some of its forms.
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
