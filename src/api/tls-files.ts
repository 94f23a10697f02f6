import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext, type TlsOptions } from "node:tls";
import { messageOf, PortwayError } from "../base/errors.js";

/** Paths of PEM files. */
export interface TlsFiles {
  readonly keyPath: string;
  readonly certPath: string;
  /** The authority whose client certificates take the place of a token. */
  readonly clientCaPath?: string;
}

/** What a TLS listener is made of, and the certificate that says for which names it is. */
export interface Tls {
  readonly options: TlsOptions;
  readonly certificate: X509Certificate;
}

/** Throws `bad_argument` for files that can't be read, hold something else, or do not fit each other. */
export async function readTls(files: TlsFiles): Promise<Tls> {
  const [key, cert, ca] = await Promise.all([
    readPem(files.keyPath, "key"),
    readPem(files.certPath, "certificate"),
    files.clientCaPath === undefined ? undefined : readPem(files.clientCaPath, "client authority"),
  ]);
  const options: TlsOptions = {
    key,
    cert,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["h2", "http/1.1"],
    // A client without a certificate may have a token: who may call is decided for each request, in one place.
    ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: false }),
  };
  try {
    // Fails now, not at the first handshake, for a key that does not fit.
    createSecureContext(options);
    if (ca !== undefined) new X509Certificate(ca);
    return { options, certificate: new X509Certificate(cert) };
  } catch (error) {
    const text = `the TLS files ${Object.values(files).join(", ")} can't be used: ${messageOf(error)}`;
    throw new PortwayError("bad_argument", text, {}, { cause: error });
  }
}

async function readPem(path: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new PortwayError("bad_argument", `the file of the TLS ${what} can't be read: ${messageOf(error)}`, {
      path,
    });
  }
}
