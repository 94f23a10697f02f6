import net from "node:net";

const timeoutMs = 500;

/** Whether somebody accepts connections on a Unix socket. Somebody who is too busy to, within half a second, counts. */
export function isSocketServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    const settle = (isServed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isServed);
    };
    const timer = setTimeout(() => settle(true), timeoutMs);
    socket.once("connect", () => settle(true));
    socket.once("error", (error: NodeJS.ErrnoException) => settle(error.code === "EAGAIN"));
  });
}
