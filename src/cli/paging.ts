import { PortwayError } from "../base/errors.js";

export const pageSize = 1000;
const maxPages = 1000;

/** All items of a List, page after page. */
export async function listAll<Page extends { readonly nextPageToken: string }, Item>(
  page: (pageToken: string) => Promise<Page>,
  items: (page: Page) => readonly Item[],
): Promise<Item[]> {
  const all: Item[] = [];
  let pageToken = "";
  for (let pages = 0; pages < maxPages; pages += 1) {
    const next = await page(pageToken);
    all.push(...items(next));
    if (next.nextPageToken === "") return all;
    pageToken = next.nextPageToken;
  }
  throw new PortwayError("too_many", `the daemon's list has more than ${maxPages} pages of ${pageSize}`);
}
