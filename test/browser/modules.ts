import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The conditions of `exports` that hold in a browser. */
const CONDITIONS: readonly string[] = ['browser', 'import', 'module', 'default'];

type Exports = string | { readonly [key: string]: Exports };

/** The file of a package's `exports` for a browser: that of the first condition that holds. */
function pick(exports: Exports | undefined): string | undefined {
  if (exports === undefined || typeof exports === 'string') return exports;
  for (const [condition, target] of Object.entries(exports)) {
    if (!CONDITIONS.includes(condition)) continue;
    const found = pick(target);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The entry of `exports` for a subpath; a pattern such as `./methods/*` is resolved. */
function entryOf(table: { readonly [key: string]: Exports }, subpath: string): Exports | undefined {
  if (Object.hasOwn(table, subpath)) return table[subpath];
  for (const [pattern, target] of Object.entries(table)) {
    const [before = '', after] = pattern.split('*');
    if (after === undefined || !subpath.startsWith(before)) continue;
    if (typeof target === 'string') return target.replace('*', subpath.slice(before.length));
  }
  return undefined;
}

/** The file behind a bare specifier, absolute. */
function resolveBare(specifier: string): string {
  const [, name, rest] = /^((?:@[^/]+\/)?[^/]+)(\/.+)?$/.exec(specifier) ?? [];
  const folder = name === 'fovea' ? ROOT : join(ROOT, 'node_modules', name);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    exports?: Exports;
    module?: string;
    main?: string;
  };
  const { exports } = manifest;
  const subpath = `.${rest ?? ''}`;
  const table: Exports | undefined =
    typeof exports === 'object' && Object.keys(exports)[0]?.startsWith('.')
      ? entryOf(exports, subpath)
      : exports;
  const file = exports === undefined ? (manifest.module ?? manifest.main) : pick(table);
  if (file === undefined) throw new Error(`${specifier} exports nothing for browsers`);
  return join(folder, file);
}

/** Specifiers of static imports, re-exports and dynamic imports of string literals. */
export function importsOf(code: string): string[] {
  return ts.preProcessFile(code, true, true).importedFiles.map(({ fileName }) => fileName);
}

/**
 * Every module that `specifiers` reach, followed through the files themselves: bare specifiers to
 * files. Bundles (`.min.`) are taken as closed.
 */
export function resolveAll(specifiers: readonly string[]): Map<string, string> {
  const bare = new Map<string, string>();
  const files: string[] = [];
  const visit = (specifier: string, from: string) => {
    const relativePath = specifier.startsWith('.');
    if (!relativePath && bare.has(specifier)) return;
    const file = relativePath ? join(dirname(from), specifier) : resolveBare(specifier);
    if (!relativePath) bare.set(specifier, file);
    if (!files.includes(file)) files.push(file);
  };
  for (const specifier of specifiers) visit(specifier, ROOT);
  for (const file of files) {
    if (file.includes('.min.')) continue;
    if (!existsSync(file))
      throw new Error(`${relative(ROOT, file)} is missing: run npm run build first`);
    for (const specifier of importsOf(readFileSync(file, 'utf8'))) visit(specifier, file);
  }
  return bare;
}
