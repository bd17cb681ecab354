#!/usr/bin/env node
// @ts-check
// What `npx fovea` runs: the build, if there is one. A fresh checkout has none.
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write(
    'fovea: this checkout is not built: run "npm ci" and "npm run build" in it first\n',
  );
  process.exitCode = 3;
}
