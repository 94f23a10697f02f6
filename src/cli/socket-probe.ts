import { connect } from "node:net";
import { PortwayError } from "../base/errors.js";

const probeMs = 2_000;

/** Whether a daemon accepts connections there. Throws if we are not allowed to know. */
export function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const end = (finish: () => void): void => {
      socket.destroy();
      finish();
    };
    socket.setTimeout(probeMs, () => end(() => resolve(false)));
    socket.once("connect", () => end(() => resolve(true)));
    socket.once("error", (error: NodeJS.ErrnoException) =>
      end(() => {
        if (error.code !== "EACCES" && error.code !== "EPERM") return resolve(false);
        const message = `the daemon's socket ${socketPath} is not open to this user: ${error.message}`;
        reject(new PortwayError("permission_denied", message, { socketPath }, { cause: error }));
      }),
    );
  });
}
