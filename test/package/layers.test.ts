import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LAYERS, NODE_FILES, withOverrides } from '../../scripts/layers.mjs';
import { ROOT } from '../browser/modules.ts';

const SRC = join(ROOT, 'src');

/** The TypeScript files of `src/` that are shipped, relative to it. */
function sources(): string[] {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' });
  return files.filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('fixtures/'),
  );
}

/** Names of the layers that a file belongs to: exactly one, if the table is right. */
function layersOf(file: string): string[] {
  const owns = (path: string) => (path.endsWith('/') ? file.startsWith(path) : file === path);
  return Object.entries(LAYERS).flatMap(([name, { paths }]) => (paths.some(owns) ? [name] : []));
}

/** Addresses that a file imports, statically or not, types included. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const found = text.matchAll(/(?:from|import) '([^']+)'|import\('([^']+)'\)/g);
  return [...found].map(([, fixed, dynamic]) => fixed ?? dynamic ?? '');
}

describe('the layers of src', () => {
  it('hold every file exactly once', () => {
    const misplaced = sources().filter((file) => layersOf(file).length !== 1);
    expect(misplaced).toEqual([]);
  });

  it('name no path that does not exist', () => {
    const files = sources();
    const paths = Object.values(LAYERS).flatMap((layer) => layer.paths);
    const missing = [...paths, ...NODE_FILES].filter(
      (path) => !files.some((file) => (path.endsWith('/') ? file.startsWith(path) : file === path)),
    );
    expect(missing).toEqual([]);
  });

  it('import only what the table allows', () => {
    const refused = sources().flatMap((file) => {
      const [layer = ''] = layersOf(file);
      return importsOf(file)
        .filter((address) => address.startsWith('.'))
        .map((address) => relative(SRC, join(SRC, dirname(file), address)))
        .filter((target) => {
          const [other = 'outside src'] = layersOf(target);
          return other !== layer && !LAYERS[layer]?.imports.includes(other);
        })
        .map((target) => `${file} imports ${target}`);
    });
    expect(refused).toEqual([]);
  });

  it('allow imports one way only', () => {
    const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
      (LAYERS[from]?.imports ?? []).some((next) => {
        if (next === to) return true;
        if (seen.has(next)) return false;
        seen.add(next);
        return reaches(next, to, seen);
      });
    expect(Object.keys(LAYERS).filter((layer) => reaches(layer, layer))).toEqual([]);
  });

  it('keep Node’s modules out of what a browser runs', () => {
    const guilty = sources().filter((file) => {
      const [layer = ''] = layersOf(file);
      if (LAYERS[layer]?.node || NODE_FILES.includes(file)) return false;
      return importsOf(file).some((address) => address.startsWith('node:'));
    });
    expect(guilty).toEqual([]);
  });

  it('are what Biome enforces', () => {
    const config = readFileSync(join(ROOT, 'biome.json'), 'utf8');
    expect(JSON.parse(config)).toEqual(JSON.parse(withOverrides(config)));
  });
});
