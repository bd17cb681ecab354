import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));
const out = `${root}dist/studio`;

/** Names of models and of ONNX Runtime's files stay: `fovea studio` serves them from elsewhere. */
const assetFileNames = ({ names: [name = ''] }) => {
  if (/^demo-.*\.(onnx|json)$/.test(name)) return 'models/[name][extname]';
  if (/\.wasm$/.test(name)) return 'ort/[name][extname]';
  return 'assets/[name]-[hash][extname]';
};

/**
 * Lists what the service worker keeps for use without a connection, and names its store after the
 * files of this build, so that a new build replaces the old one.
 */
function offlineList() {
  return {
    name: 'offline-list',
    closeBundle() {
      const all = readdirSync(out, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => `${entry.parentPath}/${entry.name}`.slice(out.length + 1))
        .sort();
      const files = all.filter((file) => !/^(ort|models)\/|^sw\.js$|^offline\.json$/.test(file));
      writeFileSync(`${out}/offline.json`, JSON.stringify(files));
      const sizes = all.map((file) => `${file} ${statSync(`${out}/${file}`).size}`).join('\n');
      const fingerprint = createHash('sha256').update(sizes).digest('hex').slice(0, 16);
      const worker = readFileSync(`${out}/sw.js`, 'utf8');
      writeFileSync(`${out}/sw.js`, worker.replace('FINGERPRINT', fingerprint));
    },
  };
}

export default defineConfig({
  root: here,
  base: './',
  publicDir: `${here}public`,
  plugins: [svelte(), offlineList()],
  worker: { format: 'es', rollupOptions: { output: { assetFileNames } } },
  build: {
    outDir: out,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: 'es2023',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
    rollupOptions: { output: { assetFileNames } },
  },
});
