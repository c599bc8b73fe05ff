import type { StrategyPlugin } from "@espalier/core";
import { plugin as channel } from "@espalier/strategy-channel";
import { plugin as combined } from "@espalier/strategy-combined";
import { plugin as depth } from "@espalier/strategy-depth";
import { plugin as head } from "@espalier/strategy-head";
import { plugin as unstructured } from "@espalier/strategy-unstructured";

/** The strategies that come with Espalier. */
export const standardStrategies: readonly StrategyPlugin[] = [channel, combined, depth, head, unstructured];
