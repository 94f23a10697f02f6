/** Colours of a stream; every function gives its text back unchanged where there are none. */
export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

export type Paint = (text: string) => string;

const introducer = "\u001b[";
const paint =
  (on: number, off: number): Paint =>
  (text) =>
    `${introducer}${on}m${text}${introducer}${off}m`;
const same: Paint = (text) => text;

export const colours: Style = {
  bold: paint(1, 22),
  dim: paint(2, 22),
  red: paint(31, 39),
  green: paint(32, 39),
  yellow: paint(33, 39),
  cyan: paint(36, 39),
};

export const noColours: Style = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

/** Colours only on a terminal that wants them: NO_COLOR counts with any value but the empty one. */
export function styleOf(
  sink: { readonly isTerminal: boolean },
  env: Readonly<Record<string, string | undefined>>,
  wanted: boolean,
): Style {
  const plain = !wanted || (env["NO_COLOR"] ?? "") !== "" || isDumb(env);
  return sink.isTerminal && !plain ? colours : noColours;
}

/** Whether a line can be written over. */
export function redrawsOn(
  sink: { readonly isTerminal: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return sink.isTerminal && !isDumb(env);
}

/** A terminal that shows control sequences instead of obeying them: that of an editor. */
function isDumb(env: Readonly<Record<string, string | undefined>>): boolean {
  return env["TERM"] === "dumb";
}
