import { spawn } from "node:child_process";

/** Environment of a program. */
export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program and gives what it printed. Throws an Error with its last lines if it fails. */
export function run(command: readonly string[], { cwd, env = {} }: RunOptions): Promise<string> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, {
      cwd,
      env: { ...withoutSettings(process.env), ...env },
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    let [stdout, all] = ["", ""];
    child.stdout.on("data", (text) => {
      stdout += text;
      all += text;
    });
    child.stderr.on("data", (text) => {
      all += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(stdout);
      else
        reject(new Error(`${command.join(" ")} ended with ${code} in ${cwd}:\n${all.trim().slice(-3000)}`));
    });
  });
}

/** A package manager that runs this hands its own settings on, which would replace those of a folder's `.npmrc`. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(npm|pnpm)_config_/i.test(name)));
}

/** pnpm of the version that the workspace uses. */
export const pnpm: readonly string[] = ["npx", "-y", "pnpm@12"];
