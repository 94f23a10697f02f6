import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { patienceMs, within } from "./until.js";

/** Connects to 127.0.0.1. */
export async function connectTo(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  await within(`127.0.0.1:${port} accepts`, once(socket, "connect"));
  // Who cares about the end waits for it.
  socket.on("error", () => {});
  return socket;
}

/** Whether nothing listens on a port of 127.0.0.1. A connection that is made is ended at once. */
export function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code === "ECONNREFUSED"));
  });
}

/** How a connection to 127.0.0.1 ends on which nobody sends anything: see `endOf`. */
export function fateOf(port: number, limitMs = patienceMs): Promise<string> {
  return endOf(net.connect({ port, host: "127.0.0.1" }), limitMs);
}

/** How a connection ends: "end", "close", or the code of the error. What comes before is thrown away. */
export function endOf(socket: net.Socket, limitMs = patienceMs): Promise<string> {
  const end = new Promise<string>((resolve) => {
    socket.once("end", () => resolve("end"));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once("close", () => resolve("close"));
    socket.resume();
  });
  return within("the connection ends", end, limitMs);
}

/** Connects, sends a text, and gives the same number of bytes of what comes back. */
export async function exchange(port: number, text: string, limitMs = patienceMs): Promise<string> {
  const socket = await connectTo(port);
  try {
    return await within(`an answer on 127.0.0.1:${port}`, exchangeOn(socket, text), limitMs);
  } finally {
    socket.destroy();
  }
}

export function exchangeOn(socket: net.Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const onData = (data: Buffer): void => {
      answer += data.toString("latin1");
      if (answer.length < text.length) return;
      socket.off("data", onData).off("error", reject).off("close", onClose);
      resolve(answer);
    };
    const onClose = (): void => reject(new Error(`closed after ${answer.length} bytes`));
    socket.on("data", onData).once("error", reject).once("close", onClose);
    socket.write(text, "latin1");
  });
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

export interface HttpRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly path?: string;
  readonly limitMs?: number;
}

/** One HTTP request on a connection of its own, to a port of 127.0.0.1 or to a Unix socket. */
export function httpRequest(to: number | string, given: HttpRequest = {}): Promise<HttpAnswer> {
  const { method = "GET", headers = {}, body = "", path = "/", limitMs = patienceMs } = given;
  const where = typeof to === "number" ? { host: "127.0.0.1", port: to } : { socketPath: to };
  const answer = new Promise<HttpAnswer>((resolve, reject) => {
    const request = http.request({ ...where, method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (data: string) => {
        text += data;
      });
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.once("error", reject);
    });
    request.setTimeout(limitMs, () => request.destroy(new Error("no answer in time")));
    request.once("error", reject);
    request.end(body);
  });
  return within("an answer by HTTP", answer, limitMs);
}
