/**
 * Compiles the project with `noUncheckedIndexedAccess` and reports the errors outside numeric
 * kernels. The compiler has this setting only for whole programs. In loops over pixels, where every
 * index is in range by construction, the setting would double the code and find nothing.
 *
 * Usage: node scripts/check-index-access.mjs [--count]
 */
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Folders and files that consist of loops over typed arrays. */
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
 * Tests index arrays that they made themselves. If an element is missing, the test fails.
 * @type {(file: string) => boolean}
 */
const isExempt = (file) =>
  KERNELS.some((path) => file.startsWith(path)) ||
  !file.startsWith('src/') ||
  file.endsWith('.test.ts') ||
  file.includes('/fixtures/');

/** The compiler's errors in the shipped code outside kernels. */
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
