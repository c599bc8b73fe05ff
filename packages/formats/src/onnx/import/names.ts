import type { NodeProto } from "onnx-buf";

/** Names as exporters write them, and the module of a node or weight inferred from them. */

/** Names that exporters invent for constants, and for weights they have transposed. */
const madeUp =
  /^(onnx::\w+|_?val_\d+|v_\d+|_?\d+|(.*\/)?_?const(ant)?[_.\d]*(_output_\d+)?|.*_output_\d+|scalar_tensor\w*|_to_copy\w*|lift_fresh\w*|(integers|scalar)\/.*)$/i;

/** Results of operators that PyTorch's current exporter computed in advance; their names contain the operator's. */
const operatorNames =
  /^_?(to_copy|lift_fresh(_copy)?|scalar_tensor|abs|add|alias|arange|bitwise_\w+|cat|ceil|clamp|clone|contiguous|cos|cumsum|detach|div|embedding|eq|exp|expand|flatten|flip|floor|full|gather|ge|getitem|gt|index|le|linspace|logical_\w+|lt|masked_fill|matmul|mean|mul|ne|neg|ones|outer|permute|pow|reciprocal|repeat|reshape|roll|rsqrt|select|sin|slice|split\w*|sqrt|squeeze|stack|sub|sum|t|tile|transpose|tril|triu|type_as|unbind|unsqueeze|view|where|zeros)(_\d+)?$/;

export function isMadeUp(name: string): boolean {
  return name === "" || (name.length < 300 && (madeUp.test(name) || operatorNames.test(name)));
}

/** Names under which modules store data that they do not train. */
export function isBufferName(name: string): boolean {
  return /(^|\.)(inv_freq|(\w+_)?mask)$/.test(name);
}

/**
 * The module that a node belongs to: `encoder.layers.0` for `/encoder/layers.0/MatMul_1` (PyTorch's TorchScript
 * exporter), for `encoder.layers.0/MatMul` (Espalier), or from the scopes that PyTorch's current exporter stores with a
 * node.
 */
export function moduleOf({ name, metadataProps }: NodeProto): string {
  const scopes = metadataProps.find(({ key }) => key === "pkg.torch.onnx.name_scopes")?.value;
  if (scopes !== undefined) {
    const parts = [...scopes.matchAll(/'([^']*)'/g)].map(([, part]) => part!);
    return sound(parts.at(-2) ?? "");
  }
  // Espalier appends a node's parts to its name: module/MatMul/Reshape.
  if (!name.startsWith("/")) return name.includes("/") ? sound(name.slice(0, name.indexOf("/"))) : "";
  const parts = name.split("/").slice(0, -1).filter(Boolean);
  // Parts of a Sequential repeat its name: /net/net.0.
  return sound(parts.filter((part, i) => !parts[i + 1]?.startsWith(`${part}.`)).join("."));
}

/** Parts of the name that are identifiers; others do not become part of the model's names. */
function sound(name: string): string {
  return /^[\w.:-]{0,200}$/.test(name) ? name : "";
}

/** Whether the exporter records the module of a node: if so, it names merged weights after the first one only. */
export function isScoped({ metadataProps }: NodeProto): boolean {
  return metadataProps.some(({ key }) => key === "pkg.torch.onnx.name_scopes");
}

/**
 * The name of a weight in another layer that uses it, if the exporter merged equal weights of layers under the first
 * name. Weights that layers share on purpose have the last name, or are used in modules of another kind: those stay
 * one.
 */
export function inOtherLayer(name: string, module: string): string | undefined {
  const parts = name.split(".");
  const depth = module.split(".").length;
  const own = parts.slice(0, depth).join(".");
  if (parts.length <= depth || own === module || layerPattern(own) !== layerPattern(module)) return undefined;
  const [before, after] = [own, module].map((path) => path.match(/\d+/g)!.map(Number)) as [
    number[],
    number[],
  ];
  const first = before.findIndex((layer, i) => layer !== after[i]);
  return before[first]! < after[first]! ? [module, ...parts.slice(depth)].join(".") : undefined;
}

function layerPattern(path: string): string {
  return path.replace(/\d+/g, "*");
}

/** The name of the weight that belongs to a bias: `attn.in_proj_weight` for `attn.in_proj_bias`. */
export function weightBeside(bias: string): string | undefined {
  const match = /^(.*?)bias$/.exec(bias);
  return match === null || isMadeUp(bias) ? undefined : `${match[1]}weight`;
}
