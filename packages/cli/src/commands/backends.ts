import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addForce,
  type CommonOptions,
  type OutputOptions,
} from "../options/groups.ts";

export interface BackendsOptions extends CommonOptions {
  readonly bench?: boolean;
}

export interface InstallOptions extends CommonOptions, OutputOptions {
  readonly wheel?: string;
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Lists the backends: which can run on this machine, on which hardware, and the command that installs what is missing.",
    )
    .argument("[names...]", "backends to list (all)")
    .option("--bench", "time a matrix product and a training step on each in turn");
  addCommon(command);
  addExamples(command, [
    "backends",
    "backends --bench wasm tensorflow",
    "backends install tensorflow",
    "backends --json",
  ]);
  command.action(async (names: string[], options: BackendsOptions) => {
    const { backends } = await import("../actions/backends.ts");
    await backends(names, options, context);
  });
  defineInstall(command, context);
  defineUninstall(command, context);
}

function defineInstall(command: Command, context: Context): void {
  const install = command
    .command("install")
    .summary("set up a backend that its own package cannot install")
    .description(
      "Sets up the tensorflow backend: libtensorflow from a tensorflow-cpu wheel, which pip downloads, and the addon of " +
        "@tensorflow/tfjs-node compiled for this Node. Everything goes into the cache; uninstall removes it.",
    )
    .argument("<name>", "tensorflow")
    .option("--wheel <file>", "a tensorflow_cpu wheel for Linux, if pip cannot reach an index");
  addForce(install);
  addCommon(install);
  addExamples(install, [
    "backends install tensorflow",
    "backends install tensorflow --wheel tensorflow_cpu-2.21.0-….whl",
  ]);
  install.action(async (name: string, _options: InstallOptions, sub: Command) => {
    const { installBackend } = await import("../actions/install-backend.ts");
    await installBackend(name, sub.optsWithGlobals<InstallOptions>(), context);
  });
}

function defineUninstall(command: Command, context: Context): void {
  const uninstall = command
    .command("uninstall")
    .summary("remove an installed backend from the cache")
    .description("Removes the files that install put into the cache, and those of an interrupted install.")
    .argument("<name>", "tensorflow");
  addCommon(uninstall);
  addExamples(uninstall, ["backends uninstall tensorflow"]);
  uninstall.action(async (name: string, _options: CommonOptions, sub: Command) => {
    const { uninstallBackend } = await import("../actions/install-backend.ts");
    await uninstallBackend(name, sub.optsWithGlobals<CommonOptions>(), context);
  });
}
