import { lstatSync } from "node:fs";
import { chmod, lstat, mkdir, unlink } from "node:fs/promises";
import net from "node:net";
import { dirname } from "node:path";
import { messageOf, PortwayError } from "../base/errors.js";
import { maxSocketPathBytes } from "../base/socket-path.js";

const probeTimeoutMs = 2000;

/**
 * Binds `server` to a Unix socket that only its owner can use: 0600, in a directory of ours with 0700, which is made if
 * it is missing. A socket that nobody serves is removed first; one that somebody serves is never touched.
 *
 * Throws `bad_argument` for a path that is too long or is something else than a socket, `insecure` for a directory that
 * is a symbolic link, another user's or open to others, `address_in_use` if somebody serves the socket.
 */
export async function listenUnix(server: net.Server, path: string): Promise<void> {
  const bytes = Buffer.byteLength(path);
  if (bytes > maxSocketPathBytes) {
    throw new PortwayError(
      "bad_argument",
      `the path of the API socket has ${bytes} bytes: expected at most ${maxSocketPathBytes}; ` +
        `choose a shorter PORTWAY_HOME (${path})`,
      { path, bytes, maxBytes: maxSocketPathBytes },
    );
  }
  await prepareDirectory(dirname(path));
  await removeStale(path);
  await bind(server, path);
  await chmod(path, 0o600);
}

async function prepareDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const stat = await lstat(path);
  const insecure = (what: string): PortwayError =>
    new PortwayError("insecure", `the directory of the API socket, ${path}, ${what}`, { path });
  if (stat.isSymbolicLink()) throw insecure("is a symbolic link: expected a directory of our own");
  if (!stat.isDirectory()) throw insecure("is not a directory");
  const user = process.getuid?.();
  if (user !== undefined && stat.uid !== user)
    throw insecure(`belongs to user ${stat.uid}, not to user ${user}`);
  if ((stat.mode & 0o077) !== 0) {
    throw insecure(`has mode ${(stat.mode & 0o777).toString(8)}: others can get at it; expected 700`);
  }
}

async function removeStale(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new PortwayError(
      "bad_argument",
      `${path} is there and is not a socket: expected nothing or a socket`,
      {
        path,
      },
    );
  }
  if (await isServed(path)) {
    throw new PortwayError("address_in_use", `another process serves the API socket ${path}`, { path });
  }
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

/** Only a refused connection proves that nobody serves a socket; whatever else happens, somebody may. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect({ path });
    const settle = (served: boolean): void => {
      clearTimeout(timer);
      probe.destroy();
      resolve(served);
    };
    const timer = setTimeout(() => settle(true), probeTimeoutMs);
    probe.once("connect", () => settle(true));
    probe.once("error", (error: NodeJS.ErrnoException) =>
      settle(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"),
    );
  });
}

/** The socket is made inside `listen`, in this turn: nothing else is made under the mask. */
function bind(server: net.Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const code = error.code === "EADDRINUSE" ? "address_in_use" : "address_not_available";
      const text = `the API socket ${path} can't be bound: ${messageOf(error)}`;
      reject(new PortwayError(code, text, { path }, { cause: error }));
    };
    server.once("error", onError);
    const mask = process.umask(0o177);
    try {
      server.listen({ path, backlog: 1024 }, () => {
        server.off("error", onError);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}
