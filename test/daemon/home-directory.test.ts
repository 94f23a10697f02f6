import assert from "node:assert/strict";
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { prepareHome } from "../../src/daemon/home-directory.js";
import { homeAt } from "../../src/home/home.js";
import { temporaryDirectory } from "./daemon-fixture.js";

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test("a home is made with its parents, for its user alone", (t) => {
  const directory = temporaryDirectory(t);
  const home = homeAt(join(directory, "a", "b"));
  prepareHome(home);
  for (const path of [join(directory, "a"), home.path, home.runDirectory, home.logDirectory]) {
    assert.equal(modeOf(path), "700", path);
  }
});

test("a home that is empty, or was one before, is closed to others", (t) => {
  const home = homeAt(join(temporaryDirectory(t), "home"));
  mkdirSync(home.path, { mode: 0o755 });
  prepareHome(home);
  assert.equal(modeOf(home.path), "700");
  for (const path of [home.path, home.runDirectory, home.logDirectory]) chmodSync(path, 0o755);
  prepareHome(home);
  for (const path of [home.path, home.runDirectory, home.logDirectory])
    assert.equal(modeOf(path), "700", path);
});

test("the mode of a directory that holds other things is left alone, what is ours in it is closed", (t) => {
  const home = homeAt(join(temporaryDirectory(t), "volume"));
  mkdirSync(home.path, { mode: 0o755 });
  writeFileSync(join(home.path, "index.html"), "");
  prepareHome(home);
  assert.equal(modeOf(home.path), "755");
  assert.equal(modeOf(home.runDirectory), "700");
  assert.equal(modeOf(home.logDirectory), "700");
});

test("a directory of the home that is a link, or that others can write into, is refused", (t) => {
  const directory = temporaryDirectory(t);
  const home = homeAt(join(directory, "home"));
  mkdirSync(home.path, { mode: 0o700 });
  symlinkSync(directory, home.runDirectory);
  assert.throws(() => prepareHome(home), { exitCode: 78, message: /run is a symbolic link/ });
  const open = homeAt(join(directory, "open"));
  prepareHome(open);
  chmodSync(open.runDirectory, 0o770);
  assert.throws(() => prepareHome(open), {
    exitCode: 78,
    message: /run has mode 770: others can write into it/,
  });
});
