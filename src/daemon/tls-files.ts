import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import type { TlsFiles } from "../api/tls-files.js";
import { messageOf } from "../base/errors.js";
import { ExitError, exitCodes } from "./exit-error.js";
import type { Source } from "./source.js";

export interface TlsPath {
  readonly text: string;
  readonly source: Source;
}

export interface TlsPaths {
  readonly certificate: TlsPath;
  readonly key: TlsPath;
  readonly clientCa?: TlsPath;
}

/** Reads the files and tries them. Gives absolute paths. Throws an ExitError that names the one that is wrong. */
export function checkTlsFiles(paths: TlsPaths): TlsFiles {
  const certificate = readPem(paths.certificate, "CERTIFICATE");
  const key = readPem(paths.key, "PRIVATE KEY");
  const clientCa = paths.clientCa === undefined ? undefined : readPem(paths.clientCa, "CERTIFICATE");
  tryContext(
    { cert: certificate },
    `${paths.certificate.source.name}: ${paths.certificate.text} holds no certificate`,
  );
  tryContext(
    { key },
    `${paths.key.source.name}: ${paths.key.text} holds no key that can be used without a passphrase`,
  );
  tryContext(
    { cert: certificate, key },
    `${paths.key.source.name}: the key in ${paths.key.text} does not belong to the certificate in ` +
      paths.certificate.text,
  );
  if (clientCa !== undefined && paths.clientCa !== undefined) {
    const { source, text } = paths.clientCa;
    tryContext({ ca: clientCa }, `${source.name}: ${text} holds no certificates of authorities`);
  }
  return {
    certPath: resolve(paths.certificate.text),
    keyPath: resolve(paths.key.text),
    ...(paths.clientCa !== undefined && { clientCaPath: resolve(paths.clientCa.text) }),
  };
}

function readPem({ text, source }: TlsPath, kind: string): string {
  const path = resolve(text);
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    throw new ExitError(source.wrong, `${source.name}: the file can't be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
  // "RSA PRIVATE KEY" and "TRUSTED CERTIFICATE" are of the kind as well.
  if (new RegExp(`-----BEGIN (?:[A-Z ]+ )?${kind}-----`).test(pem)) return pem;
  const message = `${source.name}: ${path} is not a PEM file with a "${kind}" in it`;
  throw new ExitError(exitCodes.configuration, message);
}

function tryContext(options: { cert?: string; key?: string; ca?: string }, wrong: string): void {
  try {
    createSecureContext(options);
  } catch (error) {
    throw new ExitError(exitCodes.configuration, `${wrong}: ${messageOf(error)}`, { cause: error });
  }
}
