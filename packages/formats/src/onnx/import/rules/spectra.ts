import { type DftAttributes, dftOperator, onesidedFrequencies, pad } from "@espalier/core/graph";
import { axisOf, fixedExtent, knownNumber, type Rule, valueInput } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { sliceAlong } from "../layout.ts";

/** The discrete Fourier transform; its signal is cut, or padded with zeros, if another length is requested. */
const dft: Rule = (call) => {
  const { b, attributes } = call;
  const x = valueInput(call, 0);
  // Since opset 20 the axis is an input; by default it is the last but one.
  const axis = axisOf(
    knownNumber(call, 2, "axis") ?? attributes.int("axis", call.context.opset < 20 ? 1 : -2),
    x.shape.length,
  );
  const [inverse, onesided] = ["inverse", "onesided"].map((name) => attributes.int(name, 0) !== 0) as [
    boolean,
    boolean,
  ];
  const extent = fixedExtent(x.shape[axis]!, "a Fourier transform along the batch axis");
  const positions = onesided && inverse ? 2 * (extent - 1) : extent;
  const length = knownNumber(call, 1, "length") ?? positions;
  if (!(Number.isInteger(length) && length > 0 && length < 2 ** 24))
    throw new UnreadableError(`a signal cannot have length ${length}`);
  const needed = onesided && inverse ? onesidedFrequencies(length) : length;
  const cut = sliceAlong(b, x, axis, 0, Math.min(needed, extent));
  const signal = pad(b, cut, axis, 0, Math.max(0, needed - extent));
  const given: DftAttributes = { axis, inverse, onesided, length };
  return b.apply(dftOperator, [signal], given);
};

export const spectra: Readonly<Record<string, Rule>> = { DFT: dft };
