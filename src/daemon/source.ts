import type { exitCodes } from "./exit-error.js";

/** Where a value came from: its name for a person, and the exit code if it is wrong. */
export interface Source {
  readonly name: string;
  readonly wrong: typeof exitCodes.usage | typeof exitCodes.configuration;
}
