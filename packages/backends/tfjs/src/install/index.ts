export { tfjsCommand } from "../packages.ts";
export type { InstallRecord } from "../tensorflow/record.ts";
export {
  type Installed,
  type InstallOptions,
  type InstallProgress,
  installTensorflow,
  uninstallTensorflow,
} from "./install.ts";
