import { countElements } from "@espalier/core/graph";
import { blockSize, component, finishQuad, Operand, type Product } from "./product.ts";
import type { Writer } from "./writer.ts";

/** Rows, and groups of four columns, that a thread computes; threads that share them, each with its part of the inner axis. */
export interface RegisterTile {
  readonly rows: 1 | 2 | 4 | 8;
  readonly quads: 1 | 2;
  readonly slices: 1 | 4 | 16;
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** A product whose numbers go from memory to registers: each thread loads a few rows and columns and multiplies all by all. */
export function writeRegisterProduct(
  writer: Writer,
  product: Product,
  { rows, quads, slices }: RegisterTile,
): readonly [number, number, number] {
  const side = 8;
  writer.workgroup = [side, slices];
  const quadCount = Math.ceil(product.columns / 4);
  const rowBlocks = Math.ceil(product.rows / rows);
  const leads = countElements(product.lead);
  const { id, workgroups } = writer.spread(rowBlocks * leads);
  const blocks = leads === 1 ? "" : writer.parameter("blocks", rowBlocks);
  const lead = leads === 1 ? "0u" : writer.bind("u32", `${id} / ${blocks}`);
  const block = leads === 1 ? id : writer.bind("u32", `${id} % ${blocks}`);
  const rowCount = writer.parameter("rows", product.rows);
  const row = writer.bind("u32", rows === 1 ? block : `${block} * ${rows}u`);
  const first = writer.bind("u32", `thread.x * ${quads}u`);
  if (slices === 1) writer.line(`if (${first} >= ${quadCount}u) { return; }`);
  const columns = range(quads).map((j) => writer.bind("u32", `min(${first} + ${j}u, ${quadCount - 1}u)`));
  for (const i of range(rows)) for (const j of range(quads)) writer.line(`var c${i}_${j} = vec4f();`);
  multiply(writer, product, { lead, row, rowCount, rows, columns, slices });

  const count = [Math.ceil(quadCount / quads / side), ...workgroups] as const;
  if (slices > 1) {
    combineSlices(writer, product, { lead, row, rowCount, rows, side, slices, quadCount });
    return count;
  }
  const finish = (i: string, j: number, result: string) => {
    const at = writer.bind("u32", i === "0" ? row : `${row} + ${i}${/^\d+$/.test(i) ? "u" : ""}`);
    const inside = j === 0 ? "" : ` && ${first} + ${j}u < ${quadCount}u`;
    writer.block(`if (${at} < ${rowCount}${inside})`, () => {
      finishQuad(writer, product, { lead, row: at, quad: columns[j]! }, result);
    });
  };
  // A long finish is written once and repeated by a loop.
  if (product.finish.cost <= 8 || rows === 1) {
    for (const i of range(rows)) for (const j of range(quads)) finish(`${i}`, j, `c${i}_${j}`);
    return count;
  }
  const all = range(rows).flatMap((i) => range(quads).map((j) => `c${i}_${j}`));
  writer.line(`var results = array<vec4f, ${all.length}>(${all.join(", ")});`);
  writer.block(`for (var i = 0u; i < ${rows}u; i++)`, () => {
    for (const j of range(quads)) finish("i", j, `results[i * ${quads}u + ${j}u]`);
  });
  return count;
}

interface Place {
  readonly lead: string;
  readonly row: string;
  readonly rowCount: string;
  readonly rows: number;
  readonly columns: readonly string[];
  readonly slices: number;
}

function multiply(writer: Writer, product: Product, place: Place): void {
  const { lead, row, rowCount, rows, columns, slices } = place;
  const [a, b] = [Operand.left(writer, product), Operand.right(writer, product)];
  const inner = product.innerGrows ? writer.parameter("inner", product.inner) : `${product.inner}u`;
  const byFours = product.inner % 4 === 0;
  const step = byFours ? 4 : 1;

  const rowAt = (i: number) => writer.bind("u32", `min(${row} + ${i}u, ${rowCount} - 1u)`);
  const left = range(a.access === "across" ? Math.ceil(rows / 4) : rows).map((i) => {
    if (a.access !== "across") return a.start(lead, rowAt(i));
    return a.start(lead, writer.bind("u32", `min(${row} / 4u + ${i}u, ${rowCount} / 4u - 1u)`));
  });
  const columnAt = (j: number, i: number) =>
    writer.bind("u32", `min(4u * ${columns[j]} + ${i}u, ${product.b.shape.at(-1)! - 1}u)`);
  const right = columns.map((quad, j) =>
    b.access === "across" ? [b.start(lead, quad)] : range(4).map((i) => b.start(lead, columnAt(j, i))),
  );

  const body = (k: string) => {
    const at = (q: number) => writer.bind("u32", byFours ? `4u * ${k} + ${q}u` : k);
    const rowsAlong = a.access === "along" ? left.map((start) => a.along(start, k)) : [];
    const columnsAlong =
      b.access === "along" ? right.map((starts) => starts.map((start) => b.along(start, k))) : [];
    for (const q of range(step)) {
      const groups = a.access === "across" ? left.map((start) => a.across(start, at(q))) : [];
      const leftAt = (i: number) => {
        if (a.access === "along") return component(rowsAlong[i]!, q);
        if (a.access === "across") return component(groups[i >> 2]!, i & 3);
        return a.single(left[i]!, at(q));
      };
      const factors = range(rows).map(leftAt);
      columns.forEach((_, j) => {
        let vector: string;
        if (b.access === "across") vector = b.across(right[j]![0]!, at(q));
        else {
          const parts =
            b.access === "along"
              ? columnsAlong[j]!.map((column) => component(column, q))
              : right[j]!.map((start) => b.single(start, at(q)));
          vector = writer.bind("vec4f", `vec4f(${parts.join(", ")})`);
        }
        factors.forEach((factor, i) => {
          writer.line(`c${i}_${j} = fma(vec4f(${factor}), ${vector}, c${i}_${j});`);
        });
      });
    }
  };

  if (product.blocks !== undefined && byFours) {
    const stride = Math.ceil(product.inner / blockSize) + 1;
    const list = writer.bind("u32", `${columns[0]} / ${blockSize / 4}u * ${stride}u`);
    const load = (at: string) => writer.bind("u32", writer.load(product.blocks!, at, 1));
    const count = load(list);
    const start = slices === 1 ? "0u" : "local.y";
    writer.block(`for (var s = ${start}; s < ${count}; s += ${slices}u)`, () => {
      const from = writer.bind("u32", `${load(`${list} + 1u + s`)} * ${blockSize / 4}u`);
      const end = writer.bind("u32", `min(${from} + ${blockSize / 4}u, ${product.inner / 4}u)`);
      writer.block(`for (var k = ${from}; k < ${end}; k++)`, () => body("k"));
    });
    return;
  }
  const end = byFours ? writer.bind("u32", `${inner} / 4u`) : inner;
  const [start, by] = slices === 1 ? ["0u", "1u"] : ["local.y", `${slices}u`];
  writer.block(`for (var k = ${start}; k < ${end}; k += ${by})`, () => body("k"));
}

/** Adds up what the slices have, and finishes: one result of a row and four columns for each thread in turn. */
function combineSlices(
  writer: Writer,
  product: Product,
  about: Omit<Place, "columns"> & { readonly side: number; readonly quadCount: number },
): void {
  const { lead, row, rowCount, rows, side, slices, quadCount } = about;
  writer.shared("parts", `array<vec4f, ${rows * side * slices}>`);
  for (const i of range(rows)) {
    writer.line(`parts[(local.y * ${rows}u + ${i}u) * ${side}u + local.x] = c${i}_0;`);
  }
  writer.line("workgroupBarrier();");
  writer.block(`for (var i = local.y; i < ${rows}u; i += ${slices}u)`, () => {
    const at = writer.bind("u32", `${row} + i`);
    const quad = "thread.x";
    const quadAt = writer.bind("u32", quad);
    writer.block(`if (${at} < ${rowCount} && ${quadAt} < ${quadCount}u)`, () => {
      writer.line("var total = vec4f();");
      writer.block(`for (var s = 0u; s < ${slices}u; s++)`, () => {
        writer.line(`total += parts[(s * ${rows}u + i) * ${side}u + local.x];`);
      });
      finishQuad(writer, product, { lead, row: at, quad: quadAt }, "total");
    });
  });
}
