import { EspalierError } from "@espalier/core";

/** Codes of PostgreSQL and of the network that mean: no connection, for now. */
const lost =
  /^(57P0[123]|08\w{3}|53300|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_AGAIN)$/;

/** OpenSSL's words for a certificate whose issuer is not trusted. */
const unknownIssuer =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT_UNTRUSTED|INVALID_CA)$/;

/** Whether a statement may succeed once the database can be reached again. Deadlocks and serialization failures count. */
export function isTransient(error: unknown): boolean {
  const { code, message = "" } = (error ?? {}) as { code?: unknown; message?: string };
  if (typeof code === "string" && (lost.test(code) || code === "40P01" || code === "40001")) return true;
  return /connection terminated|connection timeout|timeout exceeded when trying to connect|client has encountered a connection error/i.test(
    message,
  );
}

/** Address of a database, without secrets. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** An error of the database as one line that never holds a password; others as they are. */
export function queueError(error: unknown, { host, port, database, user }: Address): unknown {
  if (error instanceof EspalierError) return error;
  const { code, message = "" } = (error ?? {}) as { code?: string; message?: string };
  const place = `queue ${host}:${port}/${database}`;
  const say = (text: string) => new EspalierError(`${place}: ${text}`, { cause: error });
  if (code === "28P01" || /password must be a string|no password supplied/i.test(message))
    return say(`the password of "${user}" is missing or wrong. Give it in the URL, or in PGPASSWORD.`);
  if (code === "28000" && /no encryption/i.test(message))
    return say(`"${user}" may only connect by TLS. Add ?sslmode=verify-full to the URL.`);
  if (code === "28000") return say(`"${user}" may not connect. The server's pg_hba.conf says who may.`);
  if (code === "3D000")
    return say(`there is no database "${database}". Create it, or correct the end of the URL.`);
  if (code === "42501")
    return say(
      `"${user}" lacks a right (${message}). Once, as the database's owner: GRANT CREATE ON DATABASE "${database}" TO "${user}".`,
    );
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return say("no machine has this name. Correct the host in the URL.");
  if (/does not support SSL/i.test(message))
    return say("the server does not offer TLS. Drop sslmode from the URL, or set TLS up on the server.");
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return say(`the server's certificate is for another name than ${host}. Use its name in the URL.`);
  if (code !== undefined && unknownIssuer.test(code))
    return say(
      `nobody known here has signed the server's certificate (${code}). Give the certificate of who did: sslrootcert=FILE in the URL.`,
    );
  if (code !== undefined && /CERT|^ERR_(SSL|TLS)_/.test(code))
    return say(`the server's certificate is refused (${code}). Renew it on the server.`);
  if (isTransient(error))
    return say(`no PostgreSQL answers (${code ?? message}). Check host and port, and that the server runs.`);
  if (typeof code === "string" && /^\w{5}$/.test(code)) return say(`${message} (PostgreSQL ${code}).`);
  return error;
}
