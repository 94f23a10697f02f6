import { PortwayError } from "../base/errors.js";
import type { Cli } from "./cli.js";
import { reasonOf } from "./failure.js";

interface Selection<T> {
  /** "node", "inlet": what the items are. */
  readonly what: string;
  readonly items: readonly T[];
  readonly nameOf: (item: T) => string;
  /** True if a person may choose several. */
  readonly several?: boolean;
}

/**
 * What a command is about when nothing was named: the only item; of several, the ones that a person chooses on a
 * terminal. In a pipe several are an error that names them. An empty list gives nothing.
 */
export async function selectUnnamed<T>(cli: Cli, selection: Selection<T>): Promise<T[]> {
  const { what, items, nameOf, several = false } = selection;
  if (items.length <= 1) return [...items];
  const names = items.map(nameOf);
  if (!cli.prompt.canAsk) {
    throw new PortwayError(
      "bad_argument",
      `there are ${items.length} ${what}s: name one of ${names.join(", ")}`,
      { count: items.length },
    );
  }
  const chosen = await cli.prompt.choose(`Which ${what}?`, names, { several });
  return items.filter((item) => chosen.includes(nameOf(item)));
}

/** Asks before something is deleted, on a terminal and without `-y`. Throws `canceled` for a no. */
export async function confirmDelete(cli: Cli, yes: boolean | undefined, what: string): Promise<void> {
  if (yes || !cli.prompt.canAsk) return;
  if (await cli.prompt.confirm(`Delete ${what}?`)) return;
  throw new PortwayError("canceled", "nothing was deleted");
}

/** With `all`, one that is gone by now, which a call fails with the reason `gone` for, is as good as deleted. */
export async function deleteEach(
  ids: readonly string[],
  { all = false, gone }: { readonly all?: boolean | undefined; readonly gone: string },
  remove: (id: string) => Promise<unknown>,
): Promise<void> {
  for (const id of ids) {
    try {
      await remove(id);
    } catch (error) {
      if (!all || (await reasonOf(error)) !== gone) throw error;
    }
  }
}

/** `the inlet web`, `the inlets web and api`. */
export function theItems(what: string, names: readonly string[]): string {
  const shown = names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0];
  return `the ${what}${names.length === 1 ? "" : "s"} ${shown}`;
}
