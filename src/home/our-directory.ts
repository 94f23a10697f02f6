import type { Stats } from "node:fs";

/** Why what lies there (of lstat) is no plain directory of this user's; undefined if it is one. */
export function whyNotOurs(stat: Stats): string | undefined {
  if (stat.isSymbolicLink())
    return "is a symbolic link: expected a directory; give the path that it points to";
  if (!stat.isDirectory()) return "is not a directory";
  const user = process.getuid?.();
  if (user === undefined || stat.uid === user) return undefined;
  return `belongs to user ${stat.uid}, not to user ${user}`;
}
