/** A Vulkan driver that has to be named to the loader. */
export interface VulkanDriver {
  readonly manifest: string;
  /** The loader to take where the system has none. */
  readonly loader: string;
}

/** What the loader is called. */
const loaderName = "libvulkan.so.1";

/** Folders in which Chromium's packages keep SwiftShader. */
const chromiumFolders = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/usr/lib64/chromium-browser",
  "/opt/google/chrome",
];

/** Folders in which the Vulkan loader looks for drivers. */
const driverFolders = [
  "/usr/share/vulkan/icd.d",
  "/usr/local/share/vulkan/icd.d",
  "/etc/vulkan/icd.d",
  "/usr/local/etc/vulkan/icd.d",
];

/** Where the device plug-ins of container clusters put NVIDIA's driver: no loader looks there. */
const hiddenManifests = ["/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json"];

/** A GPU's driver that is on the machine, and registered nowhere. */
export function findHiddenDriver(): VulkanDriver | undefined {
  const { existsSync } = fileSystem();
  const manifest = hiddenManifests.find((file) => existsSync(file));
  return manifest === undefined ? undefined : { manifest, loader: loaderName };
}

/** SwiftShader, where a Chromium lies at a known place. */
export function findSoftwareDriver(): VulkanDriver | undefined {
  const { existsSync } = fileSystem();
  for (const folder of chromiumFolders) {
    const driver = { manifest: `${folder}/vk_swiftshader_icd.json`, loader: `${folder}/${loaderName}` };
    if (existsSync(driver.manifest)) return driver;
  }
  return undefined;
}

/** Whether any driver is registered with the system's Vulkan loader. */
export function hasDrivers(): boolean {
  const { readdirSync } = fileSystem();
  const home = process.env.XDG_DATA_HOME ?? `${process.env.HOME ?? ""}/.local/share`;
  return [...driverFolders, `${home}/vulkan/icd.d`].some((folder) => {
    try {
      return readdirSync(folder).some((file) => file.endsWith(".json"));
    } catch {
      return false;
    }
  });
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
