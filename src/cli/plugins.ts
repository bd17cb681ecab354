import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FoveaError, messageOf } from '../errors.ts';
// The built-in methods, metrics and data sets come first, so that a plugin cannot use their names.
import '../datasets/index.ts';
import '../methods/index.ts';
import '../metrics/index.ts';
import { type Plugin, registerPlugin } from '../plugin.ts';

/**
 * Loads a plugin from a JavaScript file and registers its contents. The module exports the plugin
 * as `default` or as `plugin`.
 * @throws FoveaError `usage` if the file does not exist, fails to load, or is not a plugin.
 */
export async function registerPluginFile(file: string): Promise<void> {
  const path = resolve(file);
  const from = `the plugin ${file}`;
  const entry = await stat(path).catch(() => undefined);
  if (!entry?.isFile()) {
    const problem = entry ? 'is not a file' : 'does not exist';
    throw new FoveaError('usage', `${from} ${problem}: expected the path of a .js or .mjs module`);
  }
  let module: { default?: unknown; plugin?: unknown };
  try {
    module = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw new FoveaError('usage', `${from} cannot be loaded: ${messageOf(cause)}`, { cause });
  }
  const plugin = module.default ?? module.plugin;
  if (plugin === undefined) {
    throw new FoveaError(
      'usage',
      `${from} exports no plugin: expected export default definePlugin({ … })`,
    );
  }
  try {
    registerPlugin(plugin as Plugin, from);
  } catch (cause) {
    if (cause instanceof FoveaError) throw cause;
    throw new FoveaError('usage', `${from} is not a plugin: ${messageOf(cause)}`, { cause });
  }
}
