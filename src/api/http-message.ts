import type { IncomingMessage, ServerResponse } from "node:http";
import { type Http2ServerRequest, Http2ServerResponse } from "node:http2";

export type ApiRequest = IncomingMessage | Http2ServerRequest;
export type ApiResponse = ServerResponse | Http2ServerResponse;

export function isHttp2(response: ApiResponse): response is Http2ServerResponse {
  return response instanceof Http2ServerResponse;
}

/** The path without the query: that of a Connect GET holds the request, which belongs in no log. */
export function pathOf({ url = "" }: ApiRequest): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

export function headerBytes({ rawHeaders }: ApiRequest): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

/** Whether the whole body has arrived. */
export function hasArrived(request: ApiRequest): boolean {
  return request.complete || ("stream" in request && request.stream.endAfterHeaders);
}
