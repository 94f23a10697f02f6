import { getSystemErrorName } from "node:util";

/**
 * TCP for the load and its target, on the handles beneath node:net. Whatever the load costs is taken from the processes
 * that it measures, as they share the cores: a connection of net.Socket costs as much as a proxy's. These handles are
 * no documented interface (DEP0111); they are the same in Node 20 to 26, and nothing else may use them.
 */

export interface Endpoint {
  /** An IPv4 address. */
  readonly host: string;
  readonly port: number;
}

export function parseEndpoint(text: string): Endpoint {
  const at = text.lastIndexOf(":");
  const port = Number(text.slice(at + 1));
  if (at <= 0 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`"${text}" is no HOST:PORT`);
  }
  return { host: text.slice(0, at), port };
}

interface Handle {
  onread: (this: Handle) => void;
  onconnection: (error: number, client: Handle | undefined) => void;
  owner: LoadSocket | undefined;
  setNoDelay(on: boolean): number;
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: Request, bytes: Buffer): number;
  shutdown(request: Request): number;
  connect(request: Request, host: string, port: number): number;
  bind(host: string, port: number): number;
  listen(backlog: number): number;
  getsockname(into: object): number;
  close(): void;
}

interface Request {
  oncomplete: (status: number) => void;
}

interface Bindings {
  readonly tcp_wrap: {
    readonly TCP: new (kind: number) => Handle;
    readonly TCPConnectWrap: new () => Request;
    readonly constants: { readonly SOCKET: number; readonly SERVER: number };
  };
  readonly stream_wrap: {
    readonly WriteWrap: new () => Request;
    readonly ShutdownWrap: new () => Request;
    readonly streamBaseState: Int32Array;
    readonly kReadBytesOrError: number;
    readonly kLastWriteWasAsync: number;
  };
}

function binding<K extends keyof Bindings>(name: K): Bindings[K] {
  return (process as unknown as { binding(name: K): Bindings[K] }).binding(name);
}

const { TCP, TCPConnectWrap, constants } = binding("tcp_wrap");
const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } =
  binding("stream_wrap");
const endOfFile = -4095;

/** Every socket reads into it: what arrives is counted or answered at once, never kept. */
const reads = Buffer.allocUnsafeSlow(256 * 1024);

/** One connection. What it calls may be replaced at any time. */
export class LoadSocket {
  /** `bytes` is a view of a buffer that is read into again as soon as the call returns. */
  onRead: (bytes: Buffer) => void = () => {};
  onEnd: () => void = () => this.close();
  onError: (error: Error) => void = () => {};
  readonly #handle: Handle;
  #closed = false;

  constructor(handle: Handle) {
    this.#handle = handle;
    handle.owner = this;
    handle.onread = onread;
    handle.setNoDelay(true);
    handle.useUserBuffer(reads);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  resume(): void {
    if (!this.#closed) this.#handle.readStart();
  }

  pause(): void {
    if (!this.#closed) this.#handle.readStop();
  }

  /** True if the kernel took all. If not, the bytes must stay as they are until `written` is called. */
  write(bytes: Buffer, written: () => void): boolean {
    if (this.#closed) return true;
    const request = new WriteWrap();
    request.oncomplete = (status) => {
      if (status < 0) this.fail(status);
      else if (!this.#closed) written();
    };
    const status = this.#handle.writeBuffer(request, bytes);
    if (status < 0) this.fail(status);
    return status < 0 || streamBaseState[kLastWriteWasAsync] === 0;
  }

  /** Ends our direction. */
  end(): void {
    if (this.#closed) return;
    const request = new ShutdownWrap();
    request.oncomplete = () => {};
    this.#handle.shutdown(request);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle.close();
  }

  fail(status: number): void {
    if (this.#closed) return;
    this.close();
    this.onError(new Error(getSystemErrorName(status)));
  }
}

function onread(this: Handle): void {
  const socket = this.owner!;
  const length = streamBaseState[kReadBytesOrError]!;
  if (socket.isClosed || length === 0) return;
  if (length > 0) socket.onRead(reads.subarray(0, length));
  else if (length === endOfFile) socket.onEnd();
  else socket.fail(length);
}

/** Connects; it reads once it is resumed. */
export function dial(endpoint: Endpoint): Promise<LoadSocket> {
  return new Promise((resolve, reject) => {
    const handle = new TCP(constants.SOCKET);
    const socket = new LoadSocket(handle);
    socket.onError = reject;
    const request = new TCPConnectWrap();
    request.oncomplete = (status) => {
      if (status < 0) socket.fail(status);
      else resolve(socket);
    };
    const status = handle.connect(request, endpoint.host, endpoint.port);
    if (status < 0) socket.fail(status);
  });
}

/** Listens; `accept` gets each connection before it reads. Throws if the address can't be bound. */
export function listen(
  endpoint: Endpoint,
  accept: (socket: LoadSocket) => void,
): { readonly port: number; close(): void } {
  const handle = new TCP(constants.SERVER);
  const status = handle.bind(endpoint.host, endpoint.port) || handle.listen(4096);
  if (status < 0)
    throw new Error(`can't listen on ${endpoint.host}:${endpoint.port}: ${getSystemErrorName(status)}`);
  handle.onconnection = (error, client) => {
    if (error !== 0 || client === undefined) return;
    const socket = new LoadSocket(client);
    accept(socket);
    socket.resume();
  };
  const bound = { port: 0 };
  handle.getsockname(bound);
  return { port: bound.port, close: () => handle.close() };
}
