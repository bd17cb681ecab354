// Builds dist/: compiles src and demo, and copies the demo's data next to its code, so that paths
// relative to a module are the same in the sources and in the build.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(`${root}dist`, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
for (const folder of ['assets', 'models'])
  cpSync(`${root}src/demo/${folder}`, `${root}dist/demo/${folder}`, { recursive: true });
chmodSync(`${root}dist/cli/main.js`, 0o755);
