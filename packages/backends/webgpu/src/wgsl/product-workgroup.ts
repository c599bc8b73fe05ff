import { countElements } from "@espalier/core/graph";
import { blockSize, component, finishQuad, Operand, type Product } from "./product.ts";
import type { Writer } from "./writer.ts";

/** Rows and columns of the result that a workgroup computes; a thread has 4 × 4 of them. */
export interface WorkgroupTile {
  readonly rows: 32 | 64;
  readonly columns: 16 | 32 | 64;
}

/** Inner positions that are in workgroup memory at once. */
const depth = blockSize;

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** A product whose operands are brought into workgroup memory tile by tile, so that every number is read once a tile. */
export function writeWorkgroupProduct(
  writer: Writer,
  product: Product,
  { rows, columns }: WorkgroupTile,
): readonly [number, number, number] {
  const [sideX, sideY] = [columns / 4, rows / 4];
  writer.workgroup = [sideX, sideY];
  const threads = sideX * sideY;
  const quadCount = Math.ceil(product.columns / 4);
  const rowBlocks = Math.ceil(product.rows / rows);
  const leads = countElements(product.lead);
  const { id, workgroups } = writer.spread(rowBlocks * leads);
  const blocks = leads === 1 ? "" : writer.parameter("blocks", rowBlocks);
  const lead = leads === 1 ? "0u" : writer.bind("u32", `${id} / ${blocks}`);
  const rowCount = writer.parameter("rows", product.rows);
  const row = writer.bind("u32", leads === 1 ? `${id} * ${rows}u` : `${id} % ${blocks} * ${rows}u`);
  const quad = writer.bind("u32", `group.x * ${columns / 4}u`);
  const inner = product.innerGrows ? writer.parameter("inner", product.inner) : `${product.inner}u`;

  writer.shared("left", `array<vec4f, ${(depth * rows) / 4}>`);
  writer.shared("right", `array<vec4f, ${(depth * columns) / 4}>`);
  for (const i of range(4)) writer.line(`var c${i} = vec4f();`);
  const own = writer.bind("u32", `local.y * ${sideX}u + local.x`);
  const [a, b] = [Operand.left(writer, product), Operand.right(writer, product)];
  const lastRow = writer.bind("u32", `${rowCount} - 1u`);
  const fillLeft = (k: string) =>
    fill(writer, a, { name: "left", fours: rows / 4, own, threads, k, inner, lead }, (four, i) =>
      a.access === "across"
        ? `min(${row} / 4u + ${four}, ${rowCount} / 4u - 1u)`
        : `min(${row} + 4u * ${four} + ${i}u, ${lastRow})`,
    );
  const lastColumn = product.b.shape.at(-1)! - 1;
  const fillRight = (k: string) =>
    fill(writer, b, { name: "right", fours: columns / 4, own, threads, k, inner, lead }, (four, i) =>
      b.access === "across"
        ? `min(${quad} + ${four}, ${quadCount - 1}u)`
        : `min(4u * (${quad} + ${four}) + ${i}u, ${lastColumn}u)`,
    );
  const tile = (k: string) => {
    fillLeft(k);
    fillRight(k);
    writer.line("workgroupBarrier();");
    writer.block(`for (var j = 0u; j < ${depth}u; j++)`, () => {
      writer.line(`let x = left[j * ${rows / 4}u + local.y];`);
      writer.line(`let y = right[j * ${columns / 4}u + local.x];`);
      for (const i of range(4)) writer.line(`c${i} = fma(vec4f(${component("x", i)}), y, c${i});`);
    });
    writer.line("workgroupBarrier();");
  };
  if (product.blocks !== undefined && columns === blockSize) {
    const stride = Math.ceil(product.inner / blockSize) + 1;
    const load = (at: string) => writer.bind("u32", writer.load(product.blocks!, at, 1));
    // Workgroup-uniform, which the barriers inside the loop require the compiler to see.
    writer.shared("listed", "u32");
    writer.line(`if (${own} == 0u) { listed = ${load(`group.x * ${stride}u`)}; }`);
    writer.line("let count = workgroupUniformLoad(&listed);");
    writer.block("for (var s = 0u; s < count; s++)", () => {
      tile(writer.bind("u32", `${load(`group.x * ${stride}u + 1u + s`)} * ${blockSize}u`));
    });
  } else writer.block(`for (var k = 0u; k < ${inner}; k += ${depth}u)`, () => tile("k"));

  const ownQuad = writer.bind("u32", `${quad} + local.x`);
  for (const i of range(4)) {
    const at = writer.bind("u32", `${row} + 4u * local.y + ${i}u`);
    writer.block(`if (${at} < ${rowCount} && ${ownQuad} < ${quadCount}u)`, () => {
      finishQuad(writer, product, { lead, row: at, quad: ownQuad }, `c${i}`);
    });
  }
  return [Math.ceil(quadCount / (columns / 4)), ...workgroups];
}

interface Filling {
  readonly name: string;
  /** Groups of four rows or columns of the tile. */
  readonly fours: number;
  readonly own: string;
  readonly threads: number;
  readonly k: string;
  readonly inner: string;
  readonly lead: string;
}

/** Brings `depth` inner positions of an operand into workgroup memory, as vectors across the inner axis; zeros beyond its end. */
function fill(
  writer: Writer,
  operand: Operand,
  { name, fours, own, threads, k, inner, lead }: Filling,
  place: (four: string, i: number) => string,
): void {
  const along = operand.access === "along";
  const pieces = along ? (fours * depth) / 4 : fours * depth;
  const t = writer.fresh("f");
  writer.block(`for (var ${t} = ${own}; ${t} < ${pieces}u; ${t} += ${threads}u)`, () => {
    if (along) {
      // Four by four, turned around in registers.
      const four = writer.bind("u32", `${t} / ${depth / 4}u`);
      const quad = writer.bind("u32", `${t} % ${depth / 4}u`);
      const at = writer.bind("u32", `${k} / 4u + ${quad}`);
      const inside = writer.bind("bool", `4u * ${at} < ${inner}`);
      const parts = range(4).map((i) => {
        const start = operand.start(lead, writer.bind("u32", place(four, i)));
        const loaded = operand.along(start, writer.bind("u32", `min(${at}, ${inner} / 4u - 1u)`));
        return writer.bind("vec4f", `select(vec4f(), ${loaded}, ${inside})`);
      });
      for (const q of range(4)) {
        const vector = parts.map((part) => component(part, q)).join(", ");
        writer.line(`${name}[(4u * ${quad} + ${q}u) * ${fours}u + ${four}] = vec4f(${vector});`);
      }
      return;
    }
    const four = writer.bind("u32", `${t} % ${fours}u`);
    const j = writer.bind("u32", `${t} / ${fours}u`);
    const inside = writer.bind("bool", `${k} + ${j} < ${inner}`);
    const at = writer.bind("u32", `min(${k} + ${j}, ${inner} - 1u)`);
    let vector: string;
    if (operand.access === "across") {
      vector = operand.across(operand.start(lead, writer.bind("u32", place(four, 0))), at);
    } else {
      const parts = range(4).map((i) =>
        operand.single(operand.start(lead, writer.bind("u32", place(four, i))), at),
      );
      vector = `vec4f(${parts.join(", ")})`;
    }
    writer.line(`${name}[${t}] = select(vec4f(), ${vector}, ${inside});`);
  });
}
