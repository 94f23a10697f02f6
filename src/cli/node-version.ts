/** The oldest Node.js that runs this; the `engines` of the package. */
export const oldestNode = "20.11";

/** Why nothing can be done with this Node.js; undefined if it is new enough. npm only warns when it installs. */
export function runtimeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode.split(".").map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `Portway needs Node.js ${oldestNode} or newer, and this is ${version}`;
}
