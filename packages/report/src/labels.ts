import { stableKey } from "@espalier/bench";

/** Something with a name and options; the options distinguish it from others of the same name. */
export interface Named {
  readonly label: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * One label per thing, in order: its name and, if several share that, the options in which they differ: "unstructured
 * (scope local)".
 */
export function distinctLabels(things: readonly Named[]): string[] {
  return things.map(({ label, options }) => {
    const others = things.filter((other) => other.label === label);
    const names = [...new Set(others.flatMap((other) => Object.keys(other.options)))];
    const differing = names.filter(
      (name) => new Set(others.map((other) => valueText(other.options[name]))).size > 1,
    );
    const parts = differing
      .filter((name) => options[name] !== undefined)
      .map((name) => `${words(name)} ${valueText(options[name])}`);
    if (parts.length === 0) return differing.length === 0 ? label : `${label} (default)`;
    return `${label} (${parts.join(", ")})`;
  });
}

/** learningRate → learning rate. */
export function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** A short form of an option's value. */
export function valueText(value: unknown): string {
  if (value === undefined) return "default";
  if (Array.isArray(value)) return value.map(valueText).join(" + ");
  if (typeof value === "object" && value !== null) {
    const { use, ...rest } = value as Record<string, unknown>;
    const options = Object.entries(rest).map(([name, item]) => `${words(name)} ${valueText(item)}`);
    if (typeof use !== "string") return options.join(", ");
    return options.length === 0 ? use : `${use} (${options.join(", ")})`;
  }
  return String(value);
}

/** The name of a data set; for a file, its last part. */
export function datasetLabel(dataset: string): string {
  return dataset.split(/[\\/]/).findLast((part) => part !== "") ?? dataset;
}

/** Names for files: letters and digits of each label, with a number if they would be equal. */
export function slugs(labels: readonly string[]): string[] {
  const used = new Set<string>();
  return labels.map((label) => {
    const plain =
      label
        .normalize("NFKD")
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, "-")
        .replace(/^-+|-+$/g, "")
        .slice(0, 60) || "section";
    let slug = plain;
    for (let i = 2; used.has(slug); i++) slug = `${plain}-${i}`;
    used.add(slug);
    return slug;
  });
}

/** Groups in the order in which their keys first occur. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => unknown): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = stableKey(keyOf(item));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
