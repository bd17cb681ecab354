// Builds dist/: compiles src and demo, and copies the demo's data next to its code, so that paths
// relative to a module are the same in the sources and in the build. Then it bundles the worker for
// pages without a bundler, and builds the studio.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/**
 * Writes one file with everything that the worker needs, except ONNX Runtime's WebAssembly and the
 * models.
 */
async function bundleWorker() {
  const bundle = await rolldown({
    input: `${root}dist/worker/worker.js`,
    platform: 'browser',
    resolve: {
      conditionNames: ['onnxruntime-web-use-extern-wasm', 'browser', 'import', 'default'],
    },
  });
  await bundle.write({
    dir: `${root}dist/worker`,
    entryFileNames: 'standalone.js',
    chunkFileNames: 'standalone-[name].js',
    minify: true,
  });
  await bundle.close();
}

rmSync(`${root}dist`, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
for (const folder of ['assets', 'models'])
  cpSync(`${root}src/demo/${folder}`, `${root}dist/demo/${folder}`, { recursive: true });
chmodSync(`${root}dist/cli/main.js`, 0o755);
await bundleWorker();
await import('./build-studio.mjs');
