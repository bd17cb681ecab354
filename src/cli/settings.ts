import { FoveaError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { methods } from '../methods/index.ts';
import type { Method } from '../methods/method.ts';
import { metrics } from '../metrics/index.ts';
import type { PreprocessingInput } from '../model/files/parse-preprocessing.ts';
import { type AnyOptions, acceptsOption, type HasOptions } from '../options.ts';

/** A method with the options of the user, which are not checked yet. */
export interface MethodRequest {
  readonly method: Method;
  readonly options: AnyOptions;
}

/** `name=value` as its two parts. */
function splitSetting(flag: string, setting: string, form: string): [name: string, value: string] {
  const [, name, value] = /^\s*([^\s=]+)\s*=(.*)$/s.exec(setting) ?? [];
  if (name !== undefined && value !== undefined) return [name, value.trim()];
  throw new FoveaError('usage', `${flag} "${setting}": expected ${form}`);
}

function jsonOrText(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

/** A value from the command line: parsed as JSON if the option accepts it, otherwise as text. */
export function valueFor(owner: Pick<HasOptions, 'options'>, name: string, text: string): unknown {
  const value = jsonOrText(text);
  return !acceptsOption(owner, name, value) && acceptsOption(owner, name, text) ? text : value;
}

/** Settings `name=value` as an object; values stay text. */
export function splitSettings(
  flag: string,
  settings: readonly string[] = [],
): Record<string, string> {
  return Object.fromEntries(settings.map((setting) => splitSetting(flag, setting, 'NAME=VALUE')));
}

/** Settings of a data set, `name=value`, as options of its reader. */
export function readerOptions(
  reader: HasOptions,
  settings: readonly string[] = [],
): Record<string, unknown> {
  const given = Object.entries(splitSettings('--data', settings));
  return Object.fromEntries(given.map(([key, text]) => [key, valueFor(reader, key, text)]));
}

/** The settings of `--set` for methods: all that do not begin with the name of a metric. */
export function settingsFor(settings: readonly string[] = []): string[] {
  return settings.filter(
    (setting) => !metrics.has(setting.slice(0, Math.max(0, setting.search(/[.=]/)))),
  );
}

/** The method that a setting is for, and the name of its option. */
function addressOf(name: string, requested: readonly Method[]): [method: Method, option: string] {
  const dot = name.indexOf('.');
  const [first] = requested;
  if (dot < 0) {
    if (first && requested.length === 1) return [first, name];
    throw new FoveaError(
      'usage',
      `--set ${name}: name the method too, as in ${first?.name ?? 'rise'}.${name}=VALUE`,
    );
  }
  const method = requested.find((each) => each.name === name.slice(0, dot));
  if (method) return [method, name.slice(dot + 1)];
  const known = methods.get(name.slice(0, dot));
  const asked = requested.map((each) => each.name).join(', ');
  throw new FoveaError(
    'usage',
    `--set ${name}: ${known.name} is not among the requested methods (${asked})`,
  );
}

/**
 * Methods by name, with the options of `--set method.option=value`, or `option=value` if there is
 * only one method. The options are not checked here.
 * @throws FoveaError `usage` for an unknown method.
 */
export function requestMethods(
  methodNames: readonly string[],
  settings: readonly string[] = [],
): MethodRequest[] {
  const requested = methodNames.map((name) => ({
    method: methods.get(name),
    given: [] as [option: string, value: unknown][],
  }));
  const all = requested.map(({ method }) => method);
  const form = all.length === 1 ? 'OPTION=VALUE' : 'METHOD.OPTION=VALUE';
  for (const setting of settings) {
    const [name, text] = splitSetting('--set', setting, form);
    const [method, option] = addressOf(name, all);
    for (const each of requested) {
      if (each.method === method) each.given.push([option, valueFor(method, option, text)]);
    }
  }
  return requested.map(({ method, given }) => ({ method, options: Object.fromEntries(given) }));
}

/**
 * Preprocessing from `--preprocess name=value`, with values as text: `resize=crop`,
 * `mean=[0.5,0.5,0.5]`. `loadModel` checks it.
 */
export function requestPreprocessing(
  settings: readonly string[] = [],
): PreprocessingInput | undefined {
  return settings.length === 0 ? undefined : splitSettings('--preprocess', settings);
}
