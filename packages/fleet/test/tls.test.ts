import { execFile } from "node:child_process";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Database } from "../src/database.ts";
import { queueStatus } from "../src/index.ts";
import { as, lacking, type Postgres, startPostgres } from "./postgres.ts";

const run = promisify(execFile);

const openssl = await run("openssl", ["version"]).then(
  () => true,
  () => false,
);
const missing =
  lacking !== "" ? lacking : openssl ? "" : " (skipped: no openssl here; apt-get install openssl)";

describe.skipIf(missing !== "")(`a queue over TLS${missing}`, () => {
  let [folder, certificate]: string[] = [];
  let postgres: Postgres;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "espalier-tls-"));
    certificate = join(folder, "server.crt");
    const key = join(folder, "server.key");
    const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    await run("openssl", [...request, ...names, "-days", "2", "-keyout", key, "-out", certificate]);
    if (as.uid !== undefined)
      for (const path of [folder, key, certificate]) await chown(path, as.uid, as.gid!);
    postgres = await startPostgres(
      "127.0.0.1",
      `-c ssl=on -c ssl_cert_file='${certificate}' -c ssl_key_file='${key}'`,
    );
    const database = new Database(postgres.url, { name: "test" });
    await database.query("CREATE ROLE sealed LOGIN PASSWORD 'sesame'");
    await database.close();
  });
  afterAll(async () => {
    await postgres?.stop();
    await rm(folder!, { recursive: true, force: true });
  });

  const url = (host: string, parameters: string) =>
    `postgres://sealed:sesame@${host}:${postgres.port}/postgres${parameters}`;

  /** Whether a connection is encrypted, by what the server says. */
  async function encrypted(parameters: string): Promise<boolean | undefined> {
    const database = new Database(url("localhost", parameters), { name: "test", patience: 0 });
    try {
      await database.connect();
      const { rows } = await database.query<{ ssl: boolean }>(
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
      );
      return rows[0]?.ssl;
    } finally {
      await database.close();
    }
  }

  it("is encrypted with a certificate whose issuer is given, or, if asked, with any", async () => {
    expect(await encrypted(`?sslmode=verify-full&sslrootcert=${certificate}`)).toBe(true);
    expect(await encrypted("?sslmode=no-verify")).toBe(true);
  });

  it("says in one line why there is no connection, and never the password", async () => {
    const refusal = (host: string, parameters: string) =>
      queueStatus(url(host, parameters)).then(
        () => "none",
        (error: Error) => error.message,
      );
    const messages = [
      await refusal("localhost", ""),
      await refusal("localhost", "?sslmode=verify-full"),
      await refusal("127.0.0.1", `?sslmode=verify-full&sslrootcert=${certificate}`),
      await refusal("localhost", "?sslmode=verify-full&sslrootcert=/none.crt"),
    ];
    const queue = (host: string) => `queue ${host}:${postgres.port}/postgres:`;
    expect(messages).toEqual([
      `${queue("localhost")} "sealed" may only connect by TLS. Add ?sslmode=verify-full to the URL.`,
      `${queue("localhost")} nobody known here has signed the server's certificate (DEPTH_ZERO_SELF_SIGNED_CERT). Give the certificate of who did: sslrootcert=FILE in the URL.`,
      `${queue("127.0.0.1")} the server's certificate is for another name than 127.0.0.1. Use its name in the URL.`,
      "--queue: the certificate or key /none.crt cannot be read (ENOENT).",
    ]);
    expect(messages.join()).not.toContain("sesame");
  });

  it("is refused by a server without TLS", async () => {
    const plain = await startPostgres();
    try {
      await expect(queueStatus(`${plain.url}?sslmode=verify-full`)).rejects.toThrow(
        /the server does not offer TLS\. Drop sslmode from the URL/,
      );
    } finally {
      await plain.stop();
    }
  });
});
