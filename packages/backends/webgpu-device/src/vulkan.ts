/** File names of the loader. */
const loaderName = "libvulkan.so.1";

/** Folders in which Chromium's packages keep SwiftShader. */
const chromiumFolders = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/usr/lib64/chromium-browser",
  "/opt/google/chrome",
];

/** Folder in which the device plug-ins of container clusters put NVIDIA's driver: no loader searches it. */
const hiddenManifests = ["/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json"];

/** The manifest of a GPU's driver that is on the machine, and registered nowhere. */
export function findHiddenDriver(): string | undefined {
  return hiddenManifests.find((file) => fileSystem().existsSync(file));
}

/** SwiftShader's manifest, if a Chromium lies at a known place. */
export function findSoftwareDriver(): string | undefined {
  return chromiumFolders
    .map((folder) => `${folder}/vk_swiftshader_icd.json`)
    .find((file) => fileSystem().existsSync(file));
}

/** The drivers that `VK_DRIVER_FILES` (or its older name) names; undefined if neither is set, and all drivers count. */
export function chosenDrivers():
  | { readonly variable: string; readonly manifests: readonly string[] }
  | undefined {
  const variable = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].find((name) => process.env[name]);
  if (variable === undefined) return undefined;
  const { existsSync } = fileSystem();
  return { variable, manifests: process.env[variable]!.split(":").filter((file) => existsSync(file)) };
}

/** Whether any driver is registered with the system's Vulkan loader, in the folders that it looks into. */
export function hasDrivers(): boolean {
  const { HOME = "", VK_ADD_DRIVER_FILES, ...env } = process.env;
  if (VK_ADD_DRIVER_FILES) return true;
  const { readdirSync } = fileSystem();
  const folders = [
    env.XDG_CONFIG_HOME || `${HOME}/.config`,
    ...(env.XDG_CONFIG_DIRS || "/etc/xdg").split(":"),
    ...["/etc", "/usr/local/etc"],
    env.XDG_DATA_HOME || `${HOME}/.local/share`,
    ...(env.XDG_DATA_DIRS || "/usr/local/share:/usr/share").split(":"),
  ];
  return folders.some((folder) => {
    try {
      return readdirSync(`${folder}/vulkan/icd.d`).some((file) => file.endsWith(".json"));
    } catch {
      return false;
    }
  });
}

/** Whether the Vulkan loader is there: the system's, else one that lies beside a driver. Dawn takes one that is loaded. */
export function loadVulkan(manifests: readonly string[] = []): boolean {
  const beside = manifests.map((file) => `${file.replace(/[^/]*$/, "")}${loaderName}`);
  return [loaderName, ...beside].some(loadLibrary);
}

/** Loads a shared library so that others find its symbols. False where there is none. */
export function loadLibrary(file: string): boolean {
  // RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE
  const flags = 0x2 | 0x100 | 0x1000;
  try {
    process.dlopen({ exports: {} }, file, flags);
    return true;
  } catch (error) {
    // It was loaded, and is no addon of Node.
    return `${(error as Error).message}`.includes("did not self-register");
  }
}

/** Not imported: bundlers of pages would follow it. */
function fileSystem(): typeof import("node:fs") {
  return process.getBuiltinModule("node:fs");
}
