import { type Figure, holds, wantedText } from "./figures.js";
import { figure as figureText, ratios, type Spread, spreadOf, spreadText } from "./statistics.js";

export type Contender = "yardstick" | "portway" | "yardstick again";

/** What the rounds gave: the values of each figure and contender, one a round. */
export class Results {
  readonly #values = new Map<string, number[]>();

  add(figure: Figure, contender: Contender, value: number): void {
    const key = `${figure.key} ${contender}`;
    const values = this.#values.get(key) ?? [];
    this.#values.set(key, values);
    values.push(value);
  }

  of(figure: Figure, contender: Contender): readonly number[] {
    return this.#values.get(`${figure.key} ${contender}`) ?? [];
  }
}

/** One row of the table as texts; nothing for a figure that was not measured. */
export function row(results: Results, figure: Figure): string[] | undefined {
  const [pipe, portway, again] = (["yardstick", "portway", "yardstick again"] as const).map((contender) =>
    results.of(figure, contender),
  );
  if (portway === undefined || portway.length === 0) return undefined;
  const ab = spread(ratios(portway, pipe ?? []));
  const aa = spread(ratios(again ?? [], pipe ?? []));
  const value = spreadOf(portway);
  const verdict = holds(figure.wanted, value.median, ab?.median);
  return [
    figure.name,
    figure.unit,
    pipe === undefined || pipe.length === 0 ? "" : figureText(spreadOf(pipe).median),
    spreadText(value),
    ab === undefined ? "" : spreadText(ab),
    aa === undefined ? "" : spreadText(aa),
    wantedText(figure.wanted),
    verdict === undefined ? "" : verdict ? "holds" : "FALLS SHORT",
  ];
}

/** `against` is what is compared with the yardstick. */
export function printTable(results: Results, figures: readonly Figure[], against: string): void {
  const head = ["figure", "unit", "yardstick", against, "A/B", "A/A", "wanted", ""];
  const rows = figures.map((figure) => row(results, figure)).filter((cells) => cells !== undefined);
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((cells) => cells[at]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text, at) => text.padEnd(widths[at]!)).join(" | ")} |`;
  console.log(line(head));
  console.log(`|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`);
  for (const cells of rows) console.log(line(cells));
}

function spread(values: readonly number[]): Spread | undefined {
  return values.length === 0 ? undefined : spreadOf(values);
}
