import type { Block, Document } from "../report/document.ts";
import { machinesOf } from "../report/repeat.ts";
import type { ResultRecord } from "../results/records.ts";
import type { Claim } from "./claim.ts";
import { kieferClaims } from "./kiefer.ts";
import { sedimarkClaims } from "./sedimark.ts";

/** Results of the presets that repeat published work. */
export interface ClaimedResults {
  readonly sedimark: readonly ResultRecord[];
  readonly kiefer: readonly ResultRecord[];
}

/** What was published beside what was measured, also where that contradicts it. */
export function claimsDocument({ sedimark, kiefer }: ClaimedResults): Document {
  const machines = machinesOf([...sedimark, ...kiefer]).map(
    ({ processor, cores }) => `${processor}, ${cores} cores`,
  );
  return {
    title: "Published claims, measured",
    lead: `Both studies at reduced width and with short training; each report says how far. Verdicts are about these runs (one seed), not about the published ones. Measured on: ${[...new Set(machines)].join("; ")}.`,
    blocks: [
      ...part(
        "SEDIMARK: pruning a Crossformer for air quality",
        "espalier sweep --preset sedimark",
        sedimarkClaims(sedimark),
      ),
      ...part(
        "Kiefer et al.: pruning transformers for time series (arXiv 2412.12883)",
        "espalier sweep --preset kiefer",
        kieferClaims(kiefer),
      ),
    ],
  };
}

function part(title: string, command: string, claims: readonly Claim[]): Block[] {
  return [
    { kind: "heading", level: 2, text: title },
    { kind: "code", language: "sh", text: command },
    {
      kind: "table",
      table: {
        caption: "In short",
        columns: [{ label: "published" }, { label: "here" }],
        rows: claims.map(({ says, verdict }) => [says, verdict]),
      },
    },
    ...claims.flatMap(({ says, verdict, because, figures }): Block[] => [
      { kind: "heading", level: 3, text: says },
      { kind: "paragraph", text: `${capital(verdict)}. ${because}` },
      { kind: "table", table: figures },
    ]),
  ];
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}
