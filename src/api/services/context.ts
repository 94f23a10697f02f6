import type { Message } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type { Engine, WaitOptions } from "../../node/engine.js";
import { toMs } from "../from-proto.js";
import type { Pager } from "../paging.js";

/** What the services work on. */
export interface ServiceContext {
  readonly engine: Engine;
  readonly pager: Pager;
}

/** The wait that a create asks for, which ends with its call. */
export function waitOptions(wait: Duration | undefined, { signal }: HandlerContext): WaitOptions {
  return wait === undefined ? { signal } : { signal, waitMs: toMs(wait) };
}

/** What the messages of a List have in common. */
interface ListRequest extends Message {
  readonly pageSize: number;
  readonly pageToken: string;
}

/**
 * A page of what `list` gives, in proto form, with the revision. The revision is read first: a change that comes in
 * between is then shown and told again, not lost.
 */
export async function listPage<R, P>(
  { engine, pager }: ServiceContext,
  request: ListRequest & { readonly parent?: string },
  list: () => Promise<readonly R[]>,
  keyOf: (resource: R) => string,
  toProto: (resource: R) => P,
): Promise<{ items: P[]; nextPageToken: string; revision: string }> {
  const { revision } = engine.changes;
  const listName = `${request.$typeName} ${request.parent ?? ""}`;
  const { items, nextPageToken } = pager.page(listName, await list(), keyOf, request);
  return { items: items.map(toProto), nextPageToken, revision };
}

export function byId({ id }: { readonly id: string }): string {
  return id;
}

/** The order of creation; two of one millisecond by id. */
export function byCreation({
  createTimeMs,
  id,
}: {
  readonly createTimeMs: number;
  readonly id: string;
}): string {
  return `${String(Math.trunc(createTimeMs)).padStart(16, "0")} ${id}`;
}
