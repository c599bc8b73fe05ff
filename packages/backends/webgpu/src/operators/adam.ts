import { type LiveNode, labelOf } from "@espalier/core/compile";
import { type AdamAttributes, adamInputs, countElements, type ValueId } from "@espalier/core/graph";
import type { Lowering } from "../compile/lowering.ts";
import { read, readRepeated, splat, typeOf, type Value, writeView } from "../compile/value.ts";
import { contiguous } from "../compile/view.ts";
import type { Storage } from "../memory/storage.ts";
import { literal, oneMinusPower } from "../wgsl/functions.ts";
import { Index } from "../wgsl/index-space.ts";
import { writeKernel } from "../wgsl/writer.ts";

/** One kernel; parameter and moments are written where they are if nothing reads the old ones any more. */
export function lowerAdam(lowering: Lowering, live: LiveNode<AdamAttributes>): void {
  const { node, inputs } = live;
  const { beta1, beta2, epsilon, weightDecay } = node.attributes;
  const operands = inputs.map((id) => lowering.value(id));
  const { parameter, gradient, m, v, step, rate, mask } = adamInputs(operands);
  const fixed = lowering.survey.isFixed(node.outputs[0]!);
  lowering.settle(operands, fixed);
  lowering.limitStorages(operands, 3);
  const { shape } = parameter;
  const touched = new Set<Storage>();
  for (const operand of operands) operand.collectStorages(touched);
  const { storageBuffers } = lowering.settings.limits;
  const own = adamInputs(inputs);
  const replaced = [own.parameter, own.m, own.v];
  const inPlace = node.outputs.map((output, i) => lowering.replacedTensor(live, output, replaced[i]!));
  const fresh = inPlace.filter((view) => view === undefined).length;
  // A device that cannot bind them all gets a kernel for each result, of which none may take an operand away.
  const inOneKernel = touched.size + fresh <= storageBuffers;
  const outs = node.outputs.map((output, i) => {
    const own = inOneKernel ? inPlace[i] : undefined;
    if (own !== undefined) lowering.markReplacing(output);
    return own ?? lowering.allocate(labelOf(node), shape, "f32", fixed);
  });
  for (const some of inOneKernel ? [[0, 1, 2]] : [[0], [1], [2]]) {
    const kernel = writeKernel(labelOf(node), lowering.settings.limits, (writer) => {
      const width = shape.length > 0 && shape.at(-1)! % 4 === 0 ? 4 : 1;
      const { id, workgroups } = writer.threads(countElements(shape) / width);
      const index = width === 4 ? Index.quads(writer, shape, id) : Index.flat(writer, shape, id);
      const T = typeOf("f32", width);
      const at = (value: Value) => read(value, writer, index, width);
      const scalar = (value: Value) =>
        readRepeated(value, writer, new Index(writer, [], { axis: () => "0u" }), 1);
      const power = oneMinusPower(writer);
      const correction = (beta: number) =>
        writer.bind("f32", `${power}(${scalar(step)} * ${literal(Math.log(beta))})`);
      const old = [at(parameter), at(m), at(v)];
      const decay = weightDecay === 0 ? "" : ` + ${old[0]} * ${literal(weightDecay)}`;
      const g = writer.bind(T, `${at(gradient)}${decay}`);
      const first = writer.bind(T, `${old[1]} * ${literal(beta1)} + ${g} * ${literal(1 - beta1)}`);
      const second = writer.bind(T, `${old[2]} * ${literal(beta2)} + ${g} * ${g} * ${literal(1 - beta2)}`);
      const size = `${scalar(rate)} * (${first} / ${correction(beta1)})`;
      const deviation = `(sqrt(${second} / ${correction(beta2)}) + ${literal(epsilon)})`;
      const next = [writer.bind(T, `${old[0]} - ${size} / ${deviation}`), first, second];
      const kept = mask === undefined ? undefined : writer.bind(typeOf("f32", width), at(mask));
      for (const i of some) {
        const masked = i === 0 ? splat("0f", "f32", width) : old[i]!;
        const result = kept === undefined ? next[i]! : `select(${next[i]}, ${masked}, ${kept} == ${T}(0f))`;
        writeView(writer, outs[i]!, index, width, result);
      }
      return workgroups;
    });
    lowering.emit(kernel, fixed);
  }
  node.outputs.forEach((output: ValueId, i) => {
    lowering.defineStored(output, labelOf(node), contiguous(outs[i]!.storage, shape));
  });
}
