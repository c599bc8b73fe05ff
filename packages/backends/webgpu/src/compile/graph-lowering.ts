import { EspalierError } from "@espalier/core";
import {
  findOperations,
  type LiveNode,
  labelOf,
  type Operation,
  outputsOf,
  type Survey,
} from "@espalier/core/compile";
import { countElements, isBatch, type Node, resolveShape, type ValueId } from "@espalier/core/graph";
import type { ElementType, Storage } from "../memory/storage.ts";
import { anchors } from "../operators/anchors.ts";
import { attentionPattern, lowerAttention } from "../operators/attention.ts";
import { moves } from "../operators/moves.ts";
import { applyPoint, pointOperators } from "../operators/pointwise.ts";
import { Index } from "../wgsl/index-space.ts";
import { type Kernel, writeKernel } from "../wgsl/writer.ts";
import type { Lowered, Lowering, LoweringSettings } from "./lowering.ts";
import { type Expression, read, Value, writeView } from "./value.ts";
import { contiguous, isWhole, type View } from "./view.ts";

/** An element that is cheaper than this is computed anew by every reader rather than stored. */
const cheap = 4;
/** No more than this is computed in one expression. */
const costly = 80;

/** Draws kernels operation by operation: values stay expressions until something needs them in memory. */
export class GraphLowering implements Lowering {
  readonly survey: Survey;
  readonly batchSize: number;
  readonly settings: LoweringSettings;
  readonly #fixed: Kernel[] = [];
  readonly #kernels: Kernel[] = [];
  readonly #inputs: Storage[] = [];
  readonly #values = new Map<ValueId, Value>();
  readonly #ids = new Map<Value, ValueId>();
  readonly #done = new Set<Node>();
  /** Values that a kernel puts in the place of the tensor they replace. */
  readonly #replacing = new Set<ValueId>();

  constructor(survey: Survey, batchSize: number, settings: LoweringSettings) {
    this.survey = survey;
    this.batchSize = batchSize;
    this.settings = settings;
  }

  run(): Lowered {
    const { graph } = this.survey;
    for (const { name, value } of graph.tensors)
      this.defineStored(
        value,
        `tensor "${name}"`,
        contiguous(this.settings.tensor(name), this.shapeOf(value)),
      );
    for (const { name, value } of graph.inputs) {
      const shape = this.shapeOf(value);
      const type = this.typeOf(value);
      const storage: Storage = { kind: "input", name, type, elements: countElements(shape) };
      this.#inputs.push(storage);
      this.defineStored(value, `input "${name}"`, contiguous(storage, shape));
    }
    const operations = findOperations(this.survey, [attentionPattern]);
    for (const operation of operations)
      if (operation.kind === "attention") for (const node of operation.absorbed) this.#done.add(node);
    // What is fixed comes first, so that a product sees all matrices its operand will be multiplied with.
    const isFixed = (operation: Operation) => outputsOf(operation).every(this.survey.isFixed);
    for (const operation of [...operations.filter(isFixed), ...operations.filter((one) => !isFixed(one))]) {
      if (this.#done.has(operation.node)) continue;
      switch (operation.kind) {
        case "attention":
          lowerAttention(this, operation);
          break;
        case "node":
          this.#lower(operation);
          break;
        default:
          // Lowered as its last node alone, an unknown operation would lose the others.
          operation satisfies never;
          throw new TypeError(`no lowering for operation ${(operation as Operation).kind}`);
      }
      this.#done.add(operation.node);
    }
    const leaving = [...graph.outputs, ...graph.updates].map(({ value }) => this.survey.source(value));
    const changed = new Set(graph.updates.map(({ value }) => this.survey.source(value)));
    const whole = new Map(leaving.map((value) => [value, this.#whole(value, changed.has(value))]));
    return {
      fixed: this.#fixed,
      kernels: this.#kernels,
      inputs: this.#inputs,
      kept: [...new Set(whole.values())],
      whole: (value) => whole.get(this.survey.source(value))!,
    };
  }

  shapeOf(id: ValueId): number[] {
    return resolveShape(this.survey.graph.values[id]!.shape, this.batchSize);
  }

  typeOf(id: ValueId): "f32" | "i32" {
    return this.survey.graph.values[id]!.dtype === "int32" ? "i32" : "f32";
  }

  growsWithBatch(id: ValueId, axis: number): boolean {
    return isBatch(this.survey.graph.values[id]!.shape[axis]!);
  }

  value(id: ValueId): Value {
    return this.#values.get(id)!;
  }

  isKnown(id: ValueId): boolean {
    return this.#values.has(id);
  }

  isDone(node: Node): boolean {
    return this.#done.has(node);
  }

  markDone(node: Node): void {
    this.#done.add(node);
  }

  define(id: ValueId, value: Value): void {
    this.#values.set(id, value);
    this.#ids.set(value, id);
  }

  defineStored(id: ValueId, label: string, view: View): void {
    const { shape } = view;
    const about = { shape, type: this.typeOf(id), label, fixed: this.survey.isFixed(id) };
    this.define(id, new Value(about, { view }));
  }

  allocate(label: string, shape: readonly number[], type: ElementType, fixed: boolean): View {
    const storage: Storage = {
      kind: fixed ? "fixed" : "temporary",
      name: label,
      type,
      elements: countElements(shape),
    };
    return contiguous(storage, shape);
  }

  emit(kernel: Kernel, fixed: boolean): void {
    if (kernel.workgroups.every((count) => count > 0)) (fixed ? this.#fixed : this.#kernels).push(kernel);
  }

  memory(value: Value, half = false): View {
    const known = value.view;
    if (known !== undefined) return known;
    const { operands, view } = value.expression!;
    const [origin] = operands;
    if (view !== undefined && origin!.view === undefined && this.#readersOf(origin!) > 1) {
      this.memory(origin!, half);
      const now = value.view;
      if (now !== undefined) return now;
    }
    const type = half && this.settings.half && value.type === "f32" ? "f16" : value.type;
    return this.#store(value, type);
  }

  settle(operands: readonly Value[], fixed: boolean): void {
    if (fixed) return;
    for (const operand of operands) {
      if (operand.fixed && operand.view === undefined) this.memory(operand);
    }
  }

  limitStorages(operands: readonly Value[], more: number): void {
    for (;;) {
      const all = new Set<Storage>();
      for (const operand of operands) operand.collectStorages(all);
      if (all.size + more <= this.settings.limits.storageBuffers) return;
      const open = operands.filter(({ view }) => view === undefined);
      const counts = open.map((operand) => {
        const own = new Set<Storage>();
        operand.collectStorages(own);
        return own.size;
      });
      const largest = counts.indexOf(Math.max(...counts));
      if (largest < 0) return;
      this.memory(open[largest]!);
    }
  }

  replacedTensor({ node }: LiveNode, output: ValueId, own: ValueId): View | undefined {
    const tensor = this.survey.tensor(own);
    if (tensor === undefined || this.survey.replaces(output) !== tensor || this.survey.leaves(own))
      return undefined;
    if (!this.survey.readers(own).every((reader) => reader.node === node || this.#isOver(reader)))
      return undefined;
    return this.value(own).view;
  }

  markReplacing(output: ValueId): void {
    this.#replacing.add(output);
  }

  /** Whether nothing that depends on a node's operands through it alone is still to be computed. */
  #isOver({ node }: LiveNode): boolean {
    if (!this.#done.has(node)) return false;
    if (anchors.has(node.operator.name)) return true;
    return node.outputs.every(
      (output) =>
        !this.survey.leaves(output) && this.survey.readers(output).every((reader) => this.#isOver(reader)),
    );
  }

  #lower(live: LiveNode): void {
    const { node, inputs } = live;
    const name = node.operator.name;
    const anchor = anchors.get(name);
    if (anchor !== undefined) {
      anchor(this, live);
      return;
    }
    const operands = inputs.map((id) => this.value(id));
    const [output] = node.outputs as [ValueId];
    const shape = this.shapeOf(output);
    const point = pointOperators.get(name);
    const move = moves.get(name);
    if (point === undefined && move === undefined) {
      throw new EspalierError(`backend webgpu has no operator ${name} (node ${node.name}).`);
    }
    const fixed = this.survey.isFixed(output);
    this.settle(operands, fixed);
    // Room for the result, and for what a later reader adds.
    this.limitStorages(operands, 3);
    const cost = operands.reduce((sum, operand) => sum + operand.cost, 0);
    const expression: Expression =
      point === undefined
        ? this.#moved(move!(operands, node.attributes, shape), operands, cost)
        : {
            operands,
            cost: cost + point.cost,
            write: (writer, index, width) =>
              applyPoint(
                point,
                { writer, index, width, attributes: node.attributes, batchSize: this.batchSize },
                operands,
              ),
          };
    const about = { shape, type: this.typeOf(output), label: labelOf(node), fixed };
    const value = new Value(about, { expression });
    this.define(output, value);
    if (value.view !== undefined || this.survey.leaves(output)) return;
    const readers = this.survey.readers(output).length;
    if (value.cost > costly || (readers > 1 && value.cost > cheap)) this.memory(value);
  }

  #moved(
    { cost, ...rest }: Omit<Expression, "operands">,
    operands: readonly Value[],
    before: number,
  ): Expression {
    return { ...rest, operands, cost: before + cost };
  }

  #readersOf(value: Value): number {
    const id = this.#ids.get(value);
    return id === undefined ? 1 : this.survey.readers(id).length;
  }

  /** The value as a storage of its own that can be copied out as it is; not a tensor's, if tensors are about to change. */
  #whole(id: ValueId, changes: boolean): Storage {
    const value = this.value(id);
    const { view } = value;
    if (this.#replacing.has(id)) return view!.storage;
    const plain = view !== undefined && view.storage.type === value.type && isWhole(view);
    if (plain && !(changes && view.storage.kind === "tensor")) return view.storage;
    return this.#store(value, value.type).storage;
  }

  #store(value: Value, type: ElementType): View {
    const { label, shape, fixed } = value;
    const out = this.allocate(label, shape, type, fixed);
    const kernel = writeKernel(label, this.settings.limits, (writer) => {
      if (this.settings.tiling === "registers") writer.workgroup = [32, 1];
      const quads = shape.length > 0 && shape.at(-1)! % 4 === 0;
      const { id, workgroups } = writer.threads(countElements(shape) / (quads ? 4 : 1));
      const index = quads ? Index.quads(writer, shape, id) : Index.flat(writer, shape, id);
      writeView(writer, out, index, quads ? 4 : 1, read(value, writer, index, quads ? 4 : 1));
      return workgroups;
    });
    this.emit(kernel, fixed);
    value.keep(out);
    return out;
  }
}
