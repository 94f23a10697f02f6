/** One call of the Connect protocol, once. What fails rejects with a CallError, or with the reason of `signal`. */
export interface Exchange extends Disposable {
  /** A unary call. Gives the bytes of the response message. */
  post(request: ExchangeRequest): Promise<ExchangeResponse>;
  /** A call whose answer is a stream; `body` is in envelopes. Gives the bytes as they come, however they are cut. */
  open(request: ExchangeRequest): AsyncIterable<Uint8Array>;
}

export interface ExchangeRequest {
  /** `/portway.v1.NodeService/GetNode` */
  readonly path: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface ExchangeResponse {
  readonly body: Uint8Array;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export interface ExchangeOptions {
  readonly maxResponseBytes: number;
}
