/** Runs a recipe with a store in a folder, going on from what is there; says when an epoch or a step is stored. */
import { digest } from "@espalier/core";
import { run } from "../../src/index.ts";
import { RunStore } from "../../src/node/index.ts";
import { long, model, workbench } from "./small.ts";

const store = new RunStore(process.argv[2]!);
const resume = await store.load();
const outcome = await run({
  recipe: long,
  model,
  workbench,
  resume,
  onEvent: ({ kind, step }) => void process.stdout.write(`${kind} ${step}\n`),
  onCheckpoint: (checkpoint) => store.save(checkpoint),
});
process.stdout.write(`digest ${digest(outcome.model)} ${JSON.stringify(outcome.model.history).length}\n`);
