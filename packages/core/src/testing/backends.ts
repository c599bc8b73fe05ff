import { differentiate } from "../autodiff/differentiate.ts";
import { drawTrainingForward } from "../autodiff/training-graph.ts";
import type { Backend, Tensors } from "../backend.ts";
import { EspalierError } from "../errors.ts";
import { Builder, filled, type Value } from "../graph/builder.ts";
import { batch } from "../graph/extent.ts";
import { float32, type TensorData, zeros } from "../graph/tensor.ts";
import { randomInputs } from "../model/run.ts";
import { adamOperator } from "../operators/adam.ts";
import { batchNormalization } from "../operators/batch-normalization.ts";
import { reduceMean } from "../operators/broadcast.ts";
import { add, mul, sub } from "../operators/elementwise.ts";
import { swapAxes } from "../operators/layout.ts";
import { dropout, dropoutTraining, randomUniformOperator } from "../operators/random.ts";
import { reference } from "../reference/backend.ts";
import { drawColumns } from "./any-length.ts";
import { type Check, ensure } from "./check.ts";
import { drawEncoder, linear, modelOf, norm, selfAttention } from "./models.ts";
import { type OperatorCase, operatorCases } from "./operator-cases.ts";
import { caseInputs, caseName, drawCase } from "./operators.ts";
import { randomGraph } from "./random-graph.ts";

/** Tolerances of a backend. */
export interface ConformanceOptions {
  /** Largest error of a value, relative to the largest value of its tensor; 1e-5 by default. */
  readonly tolerance?: number;
  /** Largest relative error of a loss during training; 1e-4 by default. */
  readonly lossTolerance?: number;
  /** Operators that the backend does not have: compiling one must throw an error that names it. */
  readonly lacks?: readonly string[];
}

/**
 * The requirements of a backend, as named checks for any test runner: every operator against its definition at odd
 * shapes and two batch sizes of one program, state and its snapshots, updates, errors, and a training run.
 */
export function backendChecks(backend: Backend, options: ConformanceOptions = {}): Check[] {
  const { tolerance = 1e-5, lossTolerance = 1e-4, lacks = [] } = options;
  return [
    ...operatorCases.map((one) => ({
      name: caseName(one),
      run: () =>
        lacks.includes(one.operator) ? checkLack(backend, one) : checkCase(backend, one, tolerance),
    })),
    {
      name: "computes random graphs, whatever it fuses, as their operators are defined",
      run: () => checkRandomGraphs(backend, 3 * tolerance),
    },
    {
      name: "goes along columns of any length",
      run: () => checkLengths(backend, lacks, tolerance),
    },
    { name: "runs a model at several batch sizes", run: () => checkModel(backend, tolerance) },
    { name: "applies updates after all reads, and counts versions", run: () => checkUpdates(backend) },
    { name: "restores a snapshot as often as asked", run: () => checkSnapshots(backend) },
    {
      name: "lets programs share a state, and sees what is written to it",
      run: () => checkSharing(backend, tolerance),
    },
    { name: "brings back only the outputs asked for", run: () => checkRead(backend) },
    { name: "refuses wrong inputs and tensors, and works on afterwards", run: () => checkRefusals(backend) },
    {
      name: "drops the same values, however its random numbers are used",
      run: () => checkDropout(backend, tolerance),
    },
    { name: "trains as the reference does", run: () => checkTraining(backend, lossTolerance) },
  ];
}

async function checkCase(backend: Backend, one: OperatorCase, tolerance: number): Promise<void> {
  const { graph } = drawCase(one);
  const states = await both(backend, new Map());
  const programs = await Promise.all(states.map(({ on, state }) => on.compile(graph, { state })));
  for (const batchSize of [1, 3]) {
    const inputs = caseInputs(one, batchSize);
    const [expected, got] = await Promise.all(programs.map((program) => program.run(inputs)));
    compareAll(got!, expected!, one.operator === "RandomUniform" ? 0 : tolerance, `batch ${batchSize}`);
  }
  for (const program of programs) program.dispose();
  for (const { state } of states) state.dispose();
}

async function checkLack(backend: Backend, one: OperatorCase): Promise<void> {
  const { graph } = drawCase(one);
  const state = await backend.createState(new Map());
  let refusal: unknown;
  try {
    await (await backend.compile(graph, { state })).run(caseInputs(one, 1));
  } catch (error) {
    refusal = error;
  }
  const named =
    refusal instanceof EspalierError && refusal.message.includes(`has no operator ${one.operator}`);
  ensure(named, `the operator ${one.operator} is not refused by name`);
  state.dispose();
}

async function checkRandomGraphs(backend: Backend, tolerance: number): Promise<void> {
  for (let seed = 0; seed < 25; seed++) {
    const { graph, tensors } = randomGraph(seed);
    const states = await both(backend, tensors);
    const programs = await Promise.all(states.map(({ on, state }) => on.compile(graph, { state })));
    for (const batchSize of [1, 3]) {
      const inputs = randomInputs({ graph }, batchSize, seed);
      const [expected, got] = await Promise.all(programs.map((program) => program.run(inputs)));
      compareAll(got!, expected!, tolerance, `random graph ${seed}, batch ${batchSize}`);
    }
    for (const program of programs) program.dispose();
    for (const { state } of states) state.dispose();
  }
}

async function checkLengths(backend: Backend, lacks: readonly string[], tolerance: number): Promise<void> {
  for (let length = 1; length <= 9; length++) {
    const { graph, data } = drawColumns(length, lacks);
    const states = await both(backend, data);
    const programs = await Promise.all(states.map(({ on, state }) => on.compile(graph, { state })));
    const inputs = randomInputs({ graph }, 2, length);
    const [expected, got] = await Promise.all(programs.map((program) => program.run(inputs)));
    // What is looked for is another number's result; of so few numbers the largest may be small.
    compareAll(got!, expected!, 100 * tolerance, `length ${length}`);
    for (const program of programs) program.dispose();
    for (const { state } of states) state.dispose();
  }
}

async function checkModel(backend: Backend, tolerance: number): Promise<void> {
  const model = modelOf(drawEncoder({ tokens: 7, width: 24, heads: 3, feedForward: 33, output: 5 }));
  const states = await both(backend, model.tensors);
  const programs = await Promise.all(states.map(({ on, state }) => on.compile(model.graph, { state })));
  for (const batchSize of [1, 5, 2, 5]) {
    const inputs = randomInputs(model, batchSize, batchSize);
    const [expected, got] = await Promise.all(programs.map((program) => program.run(inputs)));
    compareAll(got!, expected!, tolerance, `batch ${batchSize}`);
  }
}

/** y = w·x and w ← w + 1: the output must use the old w. */
function counter() {
  const b = Builder.create();
  const w = b.tensor("w", "buffer", { dtype: "float32", shape: [3] });
  b.output("y", mul(b, w, b.input("x", [batch, 3])));
  b.output("w", w);
  b.update("w", add(b, w, b.constant(1)));
  const { graph, data } = b.build();
  return { graph, tensors: new Map([...data, ["w", float32([3], [1, 2, 3])]]) };
}

const ones = () => new Map([["x", float32([1, 3], [1, 1, 1])]]);

async function checkUpdates(backend: Backend): Promise<void> {
  const { graph, tensors } = counter();
  const state = await backend.createState(tensors);
  const program = await backend.compile(graph, { state });
  const before = state.version("w");
  expectData((await program.run(ones())).get("y"), [1, 2, 3]);
  expectData((await program.run(ones())).get("w"), [2, 3, 4]);
  expectData((await state.read(["w"])).get("w"), [3, 4, 5]);
  ensure(state.version("w") > before, "the version of an updated tensor did not grow");
  expectData(tensors.get("w"), [1, 2, 3]);
}

async function checkSnapshots(backend: Backend): Promise<void> {
  const { graph, tensors } = counter();
  const state = await backend.createState(tensors);
  const program = await backend.compile(graph, { state });
  const snapshot = await state.snapshot();
  for (let i = 0; i < 2; i++) {
    await program.run(ones());
    await program.run(ones());
    expectData((await state.read(["w"])).get("w"), [3, 4, 5]);
    await snapshot.restore();
    expectData((await state.read()).get("w"), [1, 2, 3]);
  }
  // As `using` frees them.
  snapshot[Symbol.dispose]();
  expectData((await program.run(ones())).get("y"), [1, 2, 3]);
  program[Symbol.dispose]();
  state[Symbol.dispose]();
}

async function checkSharing(backend: Backend, tolerance: number): Promise<void> {
  const model = modelOf(drawEncoder());
  const inputs = randomInputs(model);
  const state = await backend.createState(model.tensors);
  const first = await backend.compile(model.graph, { state });
  const second = await backend.compile(model.graph, { state });
  const before = await first.run(inputs);
  const name = "projection.weight";
  const old = model.tensors.get(name)!;
  await state.write(
    new Map([
      [
        name,
        float32(
          old.shape,
          old.data.map((w) => 2 * w),
        ),
      ],
    ]),
  );
  const [a, b] = [await first.run(inputs), await second.run(inputs)];
  compareAll(a, b, tolerance, "two programs on one state");
  ensure(
    largestError(a.get("y")!, before.get("y")!) > 0.01,
    "a program did not see what was written to its state",
  );
  await state.write(new Map([[name, old]]));
  compareAll(await second.run(inputs), before, tolerance, "after writing the old values back");
}

async function checkRead(backend: Backend): Promise<void> {
  const { graph, tensors } = counter();
  const state = await backend.createState(tensors);
  const program = await backend.compile(graph, { state });
  ensure(
    [...(await program.run(ones(), { read: ["w"] })).keys()].join() === "w",
    "other outputs came back than asked for",
  );
  expectData((await state.read(["w"])).get("w"), [2, 3, 4]);
  await expectRefusal(() => program.run(ones(), { read: ["z"] }), 'no output "z"');
}

async function checkRefusals(backend: Backend): Promise<void> {
  const { graph, tensors } = counter();
  const state = await backend.createState(tensors);
  const program = await backend.compile(graph, { state });
  await expectRefusal(() => program.run(new Map()), 'input "x" [batch, 3] is missing');
  await expectRefusal(
    () => program.run(new Map([["x", float32([2, 2], [1, 2, 3, 4])]])),
    'input "x" has shape [2, 2]',
  );
  await expectRefusal(() => program.run(new Map([...ones(), ["z", float32([], [0])]])), 'no input "z"');
  await expectRefusal(async () => {
    await backend.compile(graph, {
      state: await backend.createState(new Map([["w", float32([3], [1, 2, 3])]])),
    });
  }, "is not in the state");
  await expectRefusal(() => state.write(new Map([["w", float32([2], [1, 2])]])), "cannot become");
  await expectRefusal(() => state.read(["z"]), 'no tensor "z"');
  expectData((await program.run(ones())).get("y"), [1, 2, 3]);
}

/** Random numbers read by dropouts of one ratio, of two ratios, as an output as well, and dropped themselves. */
async function checkDropout(backend: Backend, tolerance: number): Promise<void> {
  const shape = [batch, 31, 7];
  const ratio = (value: number) => ({ ratio: value });
  const b = Builder.create();
  const x = b.input("x", shape);
  const scalars = [b.input("seed", []), b.input("step", [])];
  const uniform = (stream: number) => b.apply(randomUniformOperator, scalars, { shape, stream });
  const drop = (of: Value, by: Value, share: number) => b.apply(dropoutTraining, [of, by], ratio(share));
  const one = uniform(1);
  b.output("forward", drop(x, one, 0.3));
  b.output("backward", drop(drop(x, one, 0.3), one, 0.3));
  const two = uniform(2);
  b.output("two ratios", add(b, drop(x, two, 0.1), drop(x, two, 0.6)));
  const shown = uniform(3);
  b.output("shown", shown);
  b.output("by what is shown", drop(x, shown, 0.5));
  const itself = uniform(4);
  b.output("itself", drop(itself, itself, 0.5));
  const { graph } = b.build();
  const states = await both(backend, new Map());
  const programs = await Promise.all(states.map(({ on, state }) => on.compile(graph, { state })));
  for (const [seed, step] of [
    [0, 0],
    [7, 3],
    [2 ** 24 - 1, 100_000],
  ] as const) {
    const inputs = new Map([
      [
        "x",
        float32(
          [2, 31, 7],
          Float32Array.from({ length: 434 }, (_, i) => 1 + Math.sin(i)),
        ),
      ],
      ["seed", float32([], [seed])],
      ["step", float32([], [step])],
    ]);
    const [expected, got] = await Promise.all(programs.map((program) => program.run(inputs)));
    compareAll(got!, expected!, tolerance, `seed ${seed}, step ${step}`);
    const dropped = got!.get("forward")!.data.filter((value) => value === 0).length / 434;
    ensure(Math.abs(dropped - 0.3) < 0.1, `a dropout of 0.3 dropped ${dropped}`);
  }
}

/** Losses over ten steps of a network with attention, dropout and batch statistics. */
async function checkTraining(backend: Backend, tolerance: number): Promise<void> {
  const { graph, tensors } = drawTraining();
  const states = await both(backend, tensors);
  const programs = await Promise.all(states.map(({ on, state }) => on.compile(graph, { state })));
  const inputs = new Map([
    [
      "x",
      float32(
        [4, 5, 6],
        Array.from({ length: 120 }, (_, i) => Math.sin(i * i)),
      ),
    ],
    [
      "target",
      float32(
        [4, 5, 2],
        Array.from({ length: 40 }, (_, i) => Math.cos(i)),
      ),
    ],
  ]);
  const losses: [number, number][] = [];
  for (let i = 0; i < 10; i++) {
    const [expected, got] = await Promise.all(
      programs.map((program) => program.run(inputs, { read: ["loss"] })),
    );
    losses.push([expected!.get("loss")!.data[0]!, got!.get("loss")!.data[0]!]);
  }
  for (const [i, [expected, got]] of losses.entries()) {
    const error = Math.abs(got - expected) / Math.abs(expected);
    ensure(
      error <= tolerance,
      `step ${i + 1}: loss ${got}, the reference has ${expected} (relative error ${error})`,
    );
  }
  ensure(
    losses.at(-1)![0] < 0.9 * losses[0]![0],
    "ten steps did not lower the loss: the check checks nothing",
  );
  const [expected, got] = await Promise.all(states.map(({ state }) => state.read()));
  const moments = [...expected!].flatMap(([name, { data }]) =>
    name.startsWith("m:") ? [[name.slice(2), Math.max(...data.map(Math.abs))] as const] : [],
  );
  const largest = Math.max(...moments.map(([, moment]) => moment));
  // Adam amplifies the rounding of a gradient that is otherwise zero (the keys' bias).
  const noise = new Set(moments.flatMap(([name, moment]) => (moment < 1e-9 * largest ? [name] : [])));
  for (const [name, tensor] of expected!) {
    if (noise.has(name.replace(/^[mv]:/, ""))) continue;
    const error = largestError(got!.get(name)!, tensor);
    ensure(error < 100 * tolerance, `after ten steps tensor "${name}" differs by ${error}`);
  }
}

function drawTraining() {
  const e = Builder.create();
  const layer = e.scope("bn");
  const statistics = {
    scale: layer.parameter("weight", [6], filled(1)),
    bias: layer.parameter("bias", [6], filled(0)),
    mean: layer.buffer("mean", zeros([6])),
    variance: layer.buffer("variance", float32([6], new Float32Array(6).fill(1))),
  };
  // First, because a bias that batch statistics remove again would have only rounding as its gradient.
  const channels = swapAxes(e, e.input("x", [batch, 5, 6]), 1, 2);
  const normalized = swapAxes(e, batchNormalization(e, channels, statistics), 1, 2);
  const attended = selfAttention(e, "attention", linear(e, "pre", normalized, 6, 8), 8, 2);
  const hidden = norm(e, "norm", add(e, linear(e, "in", normalized, 6, 8), attended), 8);
  e.output("y", linear(e, "out", dropout(e, hidden, 0.2), 8, 2));
  const model = modelOf(e.build());
  const tensors = new Map<string, TensorData>([...model.tensors, ["step", float32([], [0])]]);
  const {
    builder: b,
    inputs,
    outputs,
    parameters,
  } = drawTrainingForward(model.graph, (drawn) => ({
    seed: drawn.constant(7),
    step: drawn.tensor("step", "buffer", tensors.get("step")!),
  }));
  const y = [...outputs.values()][0]!;
  const error = sub(b, y, b.input("target", y.shape));
  const loss = reduceMean(b, mul(b, error, error), [0, 1, 2]);
  const named = [...parameters];
  const gradients = differentiate(
    b,
    loss,
    named.map(([, value]) => value),
  );
  const next = add(b, b.tensorNamed("step")!, b.constant(1));
  const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
  named.forEach(([name, parameter], i) => {
    const moments = ["m", "v"].map((moment) => {
      tensors.set(`${moment}:${name}`, zeros(parameter.shape as readonly number[]));
      return b.tensor(`${moment}:${name}`, "buffer", { dtype: "float32", shape: parameter.shape });
    });
    const updated = b.applyAll(
      adamOperator,
      [parameter, gradients[i]!, ...moments, next, b.constant(0.01)],
      settings,
    );
    [name, `m:${name}`, `v:${name}`].forEach((tensor, k) => {
      b.update(tensor, updated[k]!);
    });
  });
  b.update("step", next);
  b.output("loss", loss);
  ensure(inputs.has("x"), "the training graph lost its input");
  const { graph, data } = b.build();
  return { graph, tensors: new Map([...tensors, ...data]) };
}

async function both(backend: Backend, tensors: Tensors) {
  return Promise.all([reference, backend].map(async (on) => ({ on, state: await on.createState(tensors) })));
}

/** Largest difference, relative to the largest value of `b`; NaN counts as infinite. */
export function largestError(a: TensorData, b: TensorData): number {
  if (a.shape.join() !== b.shape.join() || a.dtype !== b.dtype) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < b.data.length; i++) {
    const d = Math.abs(a.data[i]! - b.data[i]!);
    if (Number.isNaN(d)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, d);
    largest = Math.max(largest, Math.abs(b.data[i]!));
  }
  return largest === 0 ? difference : difference / largest;
}

function compareAll(got: Tensors, expected: Tensors, tolerance: number, where: string): void {
  for (const [name, tensor] of expected) {
    const own = got.get(name);
    ensure(own !== undefined, `${where}: output "${name}" is missing`);
    const error = largestError(own, tensor);
    ensure(
      error <= tolerance,
      `${where}: output "${name}" differs by ${error} of its largest value (allowed: ${tolerance})`,
    );
  }
}

function expectData(tensor: TensorData | undefined, expected: readonly number[]): void {
  ensure(
    tensor?.data.join() === expected.join(),
    `got [${tensor?.data.join(", ")}], expected [${expected.join(", ")}]`,
  );
}

async function expectRefusal(run: () => Promise<unknown>, message: string): Promise<void> {
  const error = await run().then(
    () => undefined,
    (thrown: unknown) => thrown as Error,
  );
  ensure(error !== undefined, `nothing was refused; expected an error with: ${message}`);
  ensure(error.message.includes(message), `the error says: ${error.message}; expected: ${message}`);
}
