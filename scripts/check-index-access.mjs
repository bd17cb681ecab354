/**
 * Compiles the project with `noUncheckedIndexedAccess` and reports the errors outside numeric
 * kernels. The compiler has this setting only for whole programs. In loops over pixels, every index
 * is in range by construction. There the setting would double the code and find nothing.
 *
 * Usage: node scripts/check-index-access.mjs [--count]
 */
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Files that consist of loops over typed arrays. The list contains files and no folders, so that
 * every new file is checked.
 */
export const KERNELS = [
  'src/alternates/fillers.ts',
  'src/alternates/inpainting.ts',
  'src/alternates/salient-region.ts',
  'src/datasets/polygon.ts',
  'src/datasets/rle.ts',
  'src/demo/scene/background.ts',
  'src/demo/scene/sprite.ts',
  'src/demo/scene/tag.ts',
  'src/demo/scenes.ts',
  'src/evaluate/sketch.ts',
  'src/evaluate/statistics.ts',
  'src/image/blur.ts',
  'src/image/gaussian-filter.ts',
  'src/image/interpolate.ts',
  'src/image/resize.ts',
  'src/image/upsampling.ts',
  'src/methods/blur-ig.ts',
  'src/methods/eigen-cam.ts',
  'src/methods/expected-gradients.ts',
  'src/methods/fullgrad.ts',
  'src/methods/guided-ig.ts',
  'src/methods/i-gos.ts',
  'src/methods/iassa/attention.ts',
  'src/methods/iassa/masks.ts',
  'src/methods/iassa-2020/sampling.ts',
  'src/methods/shared/cholesky.ts',
  'src/methods/shared/smooth-regression.ts',
  'src/methods/iia/layer-path.ts',
  'src/methods/integrated-gradients.ts',
  'src/methods/kernel-shap.ts',
  'src/methods/oise/chain.ts',
  'src/methods/oise/occupancy.ts',
  'src/methods/rise.ts',
  'src/methods/sag/diverse-subset.ts',
  'src/methods/sag/patch-means.ts',
  'src/methods/shared/attention.ts',
  'src/methods/shared/channel-maps.ts',
  'src/methods/shared/dependence.ts',
  'src/methods/shared/grid-sums.ts',
  'src/methods/shared/least-squares.ts',
  'src/methods/shared/pixel-sums.ts',
  'src/methods/shared/regions.ts',
  'src/methods/shared/segment-maps.ts',
  'src/methods/shared/windows.ts',
  'src/methods/smoothgrad.ts',
  'src/methods/xrai.ts',
  'src/metrics/infidelity.ts',
  'src/metrics/saco.ts',
  'src/metrics/shared/cells.ts',
  'src/metrics/shared/imputation.ts',
  'src/metrics/shared/information-curve.ts',
  'src/metrics/shared/relevance.ts',
  'src/metrics/shared/scattered-fill.ts',
  'src/metrics/shared/similarity.ts',
  'src/metrics/shared/threshold.ts',
  'src/model/input/pixels.ts',
  'src/model/remote/protocol.ts',
  'src/model/render-perturbation.ts',
  'src/node/read-image.ts',
  'src/superpixels/felzenszwalb.ts',
  'src/superpixels/lab.ts',
  'src/superpixels/quickshift.ts',
  'src/superpixels/renumber.ts',
  'src/superpixels/slic.ts',
  'src/tensor/npy.ts',
  'src/tensor/statistics.ts',
  'src/tensor/tensor.ts',
  'src/visualize/cut-out.ts',
  'src/visualize/overlay.ts',
  'src/visualize/sag-thumbnails.ts',
  'src/web/read-image.ts',
];

/**
 * Tests are exempt: they index arrays that they made themselves, and a missing element makes the
 * test fail.
 * @type {(file: string) => boolean}
 */
const isExempt = (file) =>
  KERNELS.includes(file) ||
  !file.startsWith('src/') ||
  file.endsWith('.test.ts') ||
  file.includes('/fixtures/');

/** The compiler's errors in the shipped code outside numeric kernels. */
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
