/**
 * Compiles the project with `noUncheckedIndexedAccess` and reports what it finds outside numeric
 * kernels. The compiler has this setting for whole programs only; in loops over pixels, where every
 * index is in range by construction, it would double the code without finding anything.
 *
 * Usage: node scripts/check-index-access.mjs [--count]
 */
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Folders and files whose code is loops over typed arrays. */
export const KERNELS = [
  'src/alternates/',
  'src/datasets/polygon.ts',
  'src/datasets/rle.ts',
  'src/demo/',
  'src/evaluate/sketch.ts',
  'src/evaluate/statistics.ts',
  'src/image/',
  'src/methods/',
  'src/metrics/',
  'src/model/input/pixels.ts',
  'src/model/remote/protocol.ts',
  'src/model/render-perturbation.ts',
  'src/node/read-image.ts',
  'src/superpixels/',
  'src/tensor/',
  'src/visualize/',
  'src/web/read-image.ts',
];

/**
 * Tests index what they made themselves: a missing element fails the test.
 * @type {(file: string) => boolean}
 */
const isExempt = (file) =>
  KERNELS.some((path) => file.startsWith(path)) ||
  !file.startsWith('src/') ||
  file.endsWith('.test.ts') ||
  file.includes('/fixtures/');

/** The compiler's complaints about the shipped code outside kernels. */
function complaints() {
  const path = `${ROOT}tsconfig.json`;
  const { config } = ts.readConfigFile(path, ts.sys.readFile);
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, dirname(path));
  const options = { ...parsed.options, noUncheckedIndexedAccess: true, noEmit: true };
  const program = ts.createProgram(parsed.fileNames, options);
  return program.getSourceFiles().flatMap((source) => {
    const file = relative(ROOT, source.fileName);
    return isExempt(file) ? [] : program.getSemanticDiagnostics(source);
  });
}

const found = complaints();
if (process.argv.includes('--count')) console.log(found.length);
else if (found.length > 0) {
  const host = {
    getCanonicalFileName: (/** @type {string} */ name) => name,
    getCurrentDirectory: () => ROOT,
    getNewLine: () => '\n',
  };
  console.error(ts.formatDiagnostics(found, host));
  process.exitCode = 1;
}
