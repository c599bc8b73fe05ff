/** Publishes what the registry does not have yet, with provenance: what the release workflow runs. */
import { fileURLToPath } from "node:url";
import { writeAddresses } from "./manifests.ts";
import { pnpm, run } from "./run.ts";

/** Builds and publishes every package of a workspace; each builds itself before it is packed. */
export async function publishAll(root: string, ...options: string[]): Promise<void> {
  const command = [...pnpm, "publish", "--recursive", "--no-git-checks", "--access", "public", ...options];
  await run(command, { cwd: root });
}

if (import.meta.main) {
  const { REPOSITORY } = process.env;
  const root = fileURLToPath(new URL("..", import.meta.url));
  if (REPOSITORY === undefined) throw new Error("release: set REPOSITORY to the repository's address.");
  await writeAddresses(root, REPOSITORY);
  await publishAll(root, "--provenance");
  // Its output tells the workflow which releases to make.
  console.log(await run([...pnpm, "exec", "changeset", "git-tag"], { cwd: root }));
}
