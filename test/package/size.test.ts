import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Rollup } from 'vite';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../browser/modules.ts';

/** A page that explains a picture with one method, as its author writes it. */
const PAGE = `
import { explain, loadModel, readImage } from 'fovea/web';
import { gradCam } from 'fovea/methods/grad-cam';
const model = await loadModel('/model.onnx');
const picture = await readImage(document.images[0]);
const { target } = await explain(model, picture, { method: gradCam });
document.title = target.label;`;

/** Most bytes of JavaScript that the page fetches beside ONNX Runtime, each file gzipped. */
const MOST_BYTES = 82_000;

/** Bundles the page with Vite as it is, and returns its files of JavaScript. */
async function bundle(): Promise<Rollup.OutputChunk[]> {
  const result = await build({
    root: ROOT,
    configFile: false,
    logLevel: 'silent',
    publicDir: false,
    build: {
      write: false,
      assetsInlineLimit: 0,
      modulePreload: false,
      rollupOptions: { input: 'page', external: /^onnxruntime-web/ },
    },
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'page' ? '\0page' : undefined),
        load: (id) => (id === '\0page' ? PAGE : undefined),
      },
    ],
  });
  const [{ output }] = [result].flat() as Rollup.RollupOutput[];
  return output.filter((file) => file.type === 'chunk');
}

/** The files that a page fetches before it runs: the entry and what it imports statically. */
function fetched(chunks: readonly Rollup.OutputChunk[]): Rollup.OutputChunk[] {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const found = new Set(chunks.filter((chunk) => chunk.isEntry));
  for (const { imports } of found)
    for (const name of imports) {
      const chunk = byName.get(name);
      if (chunk) found.add(chunk);
    }
  return [...found];
}

describe('a page that explains with Grad-CAM', () => {
  let files: Rollup.OutputChunk[];
  let modules: string[];

  beforeAll(async () => {
    if (!existsSync(join(ROOT, 'dist/web.js')))
      throw new Error('dist is missing: run npm run build first');
    files = fetched(await bundle());
    modules = files.flatMap((file) => Object.keys(file.modules));
  });

  it(`fetches at most ${MOST_BYTES} bytes, gzipped`, () => {
    const sizes = files.map(({ fileName, code }) => [fileName, gzipSync(code).length] as const);
    const total = sizes.reduce((sum, [, size]) => sum + size, 0);
    expect(total, sizes.map((each) => each.join(' ')).join(', ')).toBeLessThanOrEqual(MOST_BYTES);
    expect(total).toBeGreaterThan(20_000);
  });

  it('holds no other method, and nothing that only other pages use', () => {
    const ours = modules.flatMap((id) => id.match(/\/dist\/(.*)$/)?.[1] ?? []);
    const methods = ours.filter((path) => /^methods\/(?!shared\/|method\.js)/.test(path));
    expect(methods).toEqual(['methods/grad-cam.js']);
    const others = /^(metrics|datasets|evaluate|visualize|alternates|node)\/|^model\/remote\//;
    expect(ours.filter((path) => others.test(path))).toEqual([]);
    expect(ours).not.toContain('model/files/hugging-face-config.js');
    expect(modules.filter((id) => /\/node_modules\/(?!valibot\/)/.test(id))).toEqual([]);
  });
});
