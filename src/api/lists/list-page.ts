import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import type { Engine } from "../../node/engine.js";
import { compileFilter } from "./filter.js";
import { compileOrder } from "./order.js";
import type { Pager } from "./paging.js";

/** What the messages of a List have in common. */
interface ListRequest extends Message {
  readonly parent?: string;
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: string;
}

/** A list of resources of the engine, and what becomes of them. */
export interface Listed<R, D extends DescMessage> {
  readonly list: () => Promise<readonly R[]>;
  /** Gives each its place in the order of the list, and no two the same. */
  readonly keyOf: (resource: R) => string;
  readonly type: D;
  readonly toProto: (resource: R) => MessageShape<D>;
}

/**
 * The page of a list that `request` asks for, with the revision. The revision is read first: a change that comes in
 * between is then shown and told again, not lost. Throws `bad_argument` and `bad_page_token`.
 */
export async function listPage<R, D extends DescMessage>(
  { engine, pager }: { readonly engine: Engine; readonly pager: Pager },
  request: ListRequest,
  { list, keyOf, type, toProto }: Listed<R, D>,
): Promise<{ items: MessageShape<D>[]; nextPageToken: string; revision: string }> {
  const { revision } = engine.changes;
  const { $typeName, parent = "", filter, orderBy } = request;
  const isShown = compileFilter(filter, type);
  const orderKey = compileOrder(orderBy, type);
  const all = await list();
  const shown = filter === "" ? all : all.filter((resource) => isShown(toProto(resource)));
  const key = orderBy === "" ? keyOf : (resource: R) => orderKey(toProto(resource)) + keyOf(resource);
  const listName = JSON.stringify([$typeName, parent, filter, orderBy]);
  const { items, nextPageToken } = pager.page(listName, shown, key, request);
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
