import { EspalierError } from "@espalier/core";
import { isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";

/** No recipe written by hand is larger. */
const maxCharacters = 256 * 1024;

/** YAML or JSON text as plain data, with the lines of its parts. */
export interface LocatedYaml {
  readonly value: unknown;
  /** The line of a key, from 1; if the path does not exist, that of its nearest existing parent. */
  line(path: readonly PropertyKey[]): number;
}

/**
 * Reads YAML (and thus JSON) from an untrusted source, as plain data. Refuses tags, which name types, and aliases,
 * which let a few lines stand for gigabytes. Throws an EspalierError that names the line.
 */
export function readYaml(text: string, where: string): LocatedYaml {
  if (text.length > maxCharacters)
    throw new EspalierError(`${where}: ${text.length} characters, but at most ${maxCharacters} are allowed.`);
  const lines = new LineCounter();
  const at = (offset: number) => `${where}, line ${lines.linePos(offset).line}`;
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
    const [error] = document.errors;
    if (error !== undefined)
      throw new EspalierError(
        `${at(error.pos[0])}: not valid YAML or JSON: ${error.message.replace(/ at line.*$/s, "")}.`,
      );
    visit(document, {
      Alias: (_, { range }) => {
        throw new EspalierError(
          `${at(range?.[0] ?? 0)}: aliases (*) are not allowed. Write the content out.`,
        );
      },
      Pair: (_, { key }) => {
        if (isScalar(key) && key.value === "__proto__")
          throw new EspalierError(`${at(key.range?.[0] ?? 0)}: the key __proto__ is not allowed.`);
      },
      Node: (_, node) => {
        if (node.tag !== undefined)
          throw new EspalierError(`${at(node.range?.[0] ?? 0)}: tags (${node.tag}) are not allowed.`);
      },
    });
    return {
      value: document.toJS({ maxAliasCount: 0 }),
      line: (path) => lines.linePos(offsetOf(document.contents, path)).line,
    };
  } catch (error) {
    if (error instanceof EspalierError) throw error;
    // Nesting so deep that the parser overflows the stack.
    throw new EspalierError(`${where}: cannot be read as YAML or JSON: ${(error as Error).message}.`);
  }
}

function offsetOf(root: unknown, path: readonly PropertyKey[]): number {
  let node = root as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const key of path) {
    if (isSeq(node)) node = (node.items[key as number] ?? null) as Node | null;
    else if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key);
      if (pair === undefined) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
      continue;
    } else return offset;
    if (!isNode(node)) return offset;
    offset = node.range?.[0] ?? offset;
  }
  return offset;
}
