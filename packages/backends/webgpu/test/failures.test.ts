import { EspalierError, float32, randomInputs, zeros } from "@espalier/core";
import { Builder, batch, expand, gelu, matMul } from "@espalier/core/graph";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { expect, it } from "vitest";
import { webgpu } from "../src/index.ts";
import type { WebGpuState } from "../src/state.ts";
import { describeOnAdapter } from "./adapter.ts";

const model = modelOf(drawEncoder());

describeOnAdapter("when something goes wrong", () => {
  it("says which node gets no memory, frees what it had, and works on", async () => {
    const backend = webgpu({ memory: 2 ** 20 });
    const b = Builder.create();
    const x = b.input("x", [batch, 64]);
    b.output(
      "y",
      gelu(
        b,
        matMul(
          b,
          x,
          b.parameter("w", [64, 64], () => new Float32Array(64 * 64)),
        ),
      ),
    );
    const wide = modelOf(b.build());
    const state = (await backend.createState(wide.tensors)) as WebGpuState;
    const program = await backend.compile(wide.graph, { state });
    await program.run(randomInputs(wide, 8));
    const { held } = state.device;
    const run = program.run(randomInputs(wide, 4096));
    await expect(run).rejects.toThrow(/^backend webgpu: no memory for (node \S+ \((MatMul|Gelu)\)|x) .*MiB/);
    await expect(run).rejects.toBeInstanceOf(EspalierError);
    expect(state.device.held).toBe(held);
    await program.run(randomInputs(wide, 8));
  });

  it("says which tensor gets no memory, and frees the others", async () => {
    const backend = webgpu({ memory: 2 ** 20 });
    const first = (await backend.createState(new Map([["a", zeros([4])]]))) as WebGpuState;
    const { held } = first.device;
    const tensors = new Map([
      ["small", zeros([1000])],
      ["large", zeros([1024, 1024])],
    ]);
    await expect(backend.createState(tensors)).rejects.toThrow('no memory for tensor "large"');
    expect(first.device.held).toBe(held);
    await expect(first.snapshot()).resolves.toBeDefined();
  });

  it("says which node is too large for a buffer of the device", async () => {
    const backend = webgpu();
    const b = Builder.create();
    b.output("y", expand(b, b.input("x", [1]), [2 ** 40]));
    const state = await backend.createState(new Map());
    const { graph } = b.build();
    await expect(backend.compile(graph, { state, batch: [1] })).rejects.toThrow(
      /no memory for node Expand \(Expand\) .* one buffer may hold/,
    );
  });

  it("names the nodes of a kernel that does not compile, and works on", async () => {
    const backend = webgpu();
    const state = (await backend.createState(model.tensors)) as WebGpuState;
    const broken = {
      label: "node layer/MatMul (MatMul)",
      code: "@compute @workgroup_size(1) fn main() { let x: f32 = 1u; }",
      bindings: [],
      parameters: [],
      workgroups: [1, 1, 1] as const,
    };
    await expect(state.device.compile(broken)).rejects.toThrow(
      /^backend webgpu: the kernel of node layer\/MatMul \(MatMul\) does not compile on .*line 1/,
    );
    const program = await backend.compile(model.graph, { state });
    await program.run(randomInputs(model));
  });

  it("reports a lost device wherever it is used, and starts anew with a new state", async () => {
    const backend = webgpu();
    const state = (await backend.createState(model.tensors)) as WebGpuState;
    const program = await backend.compile(model.graph, { state });
    const inputs = randomInputs(model);
    const before = (await program.run(inputs)).get("y")!;
    const snapshot = await state.snapshot();
    const running = program.run(inputs);
    const other = program.run(inputs);
    await Promise.resolve();
    state.device.gpu.destroy();
    const lost = /^backend webgpu: .* was lost: .*Create the state and program again\.$/;
    await expect(Promise.all([running, other])).rejects.toThrow(lost);
    await expect(program.run(inputs)).rejects.toThrow(/a run of \d+ kernels, from node \S+ \(\w+\) to node/);
    await expect(state.read()).rejects.toThrow(lost);
    await expect(state.write(new Map())).rejects.toThrow(lost);
    await expect(snapshot.restore()).rejects.toThrow(lost);
    await expect(backend.compile(model.graph, { state })).rejects.toThrow(lost);
    program.dispose();
    state.dispose();

    const again = await backend.createState(model.tensors);
    const renewed = await backend.compile(model.graph, { state: again });
    expect((await renewed.run(inputs)).get("y")!.data).toEqual(before.data);
  });

  it("gives back all memory", async () => {
    const backend = webgpu();
    const first = (await backend.createState(new Map([["a", float32([1], [1])]]))) as WebGpuState;
    const { held } = first.device;
    const state = await backend.createState(model.tensors);
    const program = await backend.compile(model.graph, { state, batch: [1, 2] });
    for (const size of [1, 3, 3]) await program.run(randomInputs(model, size));
    await state.snapshot();
    program.dispose();
    state.dispose();
    expect(first.device.held).toBe(held);
  });

  it("allocates nothing after the first run of a batch size", async () => {
    const backend = webgpu();
    const state = (await backend.createState(model.tensors)) as WebGpuState;
    const program = await backend.compile(model.graph, { state });
    await program.run(randomInputs(model, 3));
    const { held } = state.device;
    for (let i = 0; i < 3; i++) await program.run(randomInputs(model, 3));
    expect(state.device.held).toBe(held);
  });
});
