import { InvalidArgumentError } from 'commander';
import { FoveaError } from '../errors.ts';
import { methods } from '../methods/index.ts';
import type { Method } from '../methods/method.ts';
import { metrics } from '../metrics/index.ts';
import { parsePreprocessing } from '../model/files/model-config.ts';
import type { Preprocessing } from '../model/input/preprocessing.ts';
import { acceptsOption, parseOptions } from '../options.ts';

/** The kinds of files a result can be written as. */
export const FORMATS = ['npy', 'png', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/**
 * A method and the options it runs with, as the user gave them (checked; defaults are filled in by
 * the method).
 */
export interface MethodRequest {
  readonly method: Method;
  readonly options: Readonly<Record<string, unknown>>;
}

/** An argument parser for an integer of at least `least`. */
export function integerFrom(
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text.trim()) || value < least || value > most) {
      const wanted =
        most === Number.MAX_SAFE_INTEGER
          ? `an integer of at least ${least}`
          : `an integer from ${least} to ${most}`;
      throw new InvalidArgumentError(`Expected ${wanted}.`);
    }
    return value;
  };
}

/**
 * An argument parser for `a,b` that also takes the option several times; each name once, in the
 * order given.
 */
export function names(text: string, before: readonly string[] | undefined): string[] {
  const given = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (given.length === 0)
    throw new InvalidArgumentError('Expected one or more names, separated by commas.');
  return [...new Set([...(before ?? []), ...given])];
}

/** An argument parser for `a,b` out of a fixed list. */
export function namesOf<Name extends string>(
  known: readonly Name[],
): (text: string, before?: readonly Name[]) => Name[] {
  return (text, before) => {
    const given = names(text, before);
    const unknown = given.find((name) => !(known as readonly string[]).includes(name));
    if (unknown !== undefined)
      throw new InvalidArgumentError(`"${unknown}" is none of ${known.join(', ')}.`);
    return given as Name[];
  };
}

/** An argument parser for `50,90`: per cents above 0. */
export function perCents(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.some((value) => !(value > 0 && value <= 100)))
    throw new InvalidArgumentError(
      'Expected numbers above 0 and at most 100, separated by commas.',
    );
  return values;
}

/** An argument parser for a number from 0 to below 1. */
export function shareOf(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < 1))
    throw new InvalidArgumentError('Expected a number from 0 to below 1.');
  return value;
}

/** Collects an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** `name=value` as its two parts. */
function splitSetting(flag: string, setting: string, form: string): [name: string, value: string] {
  const at = setting.indexOf('=');
  if (at < 1) throw new FoveaError('usage', `${flag} ${setting}: expected ${form}`);
  return [setting.slice(0, at).trim(), setting.slice(at + 1).trim()];
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * A value from the command line: JSON where the option accepts that, else the text as it stands.
 */
export function valueFor(method: Pick<Method, 'options'>, name: string, text: string): unknown {
  const value = jsonOrText(text);
  return !acceptsOption(method, name, value) && acceptsOption(method, name, text) ? text : value;
}

/** Settings `key=value` as an object; values stay text. */
export function splitSettings(
  flag: string,
  settings: readonly string[] = [],
): Record<string, string> {
  return Object.fromEntries(settings.map((setting) => splitSetting(flag, setting, 'key=value')));
}

/**
 * The settings of methods among those of `--set`: all but the ones that name a metric.
 * @throws FoveaError `usage` for one that names neither.
 */
export function settingsFor(settings: readonly string[] = []): string[] {
  return settings.filter(
    (setting) => !metrics.has(setting.slice(0, Math.max(0, setting.search(/[.=]/)))),
  );
}

/** The method a setting is for, and the name of its option. */
function addressOf(name: string, requested: readonly Method[]): [method: Method, option: string] {
  const dot = name.indexOf('.');
  if (dot < 0 && requested.length === 1) return [requested[0], name];
  if (dot < 0)
    throw new FoveaError(
      'usage',
      `--set ${name}: name the method too, as in ${requested[0].name}.${name}=VALUE`,
    );
  const method = requested.find((each) => each.name === name.slice(0, dot));
  if (method) return [method, name.slice(dot + 1)];
  const known = methods.get(name.slice(0, dot));
  throw new FoveaError(
    'usage',
    `--set ${name}: ${known.name} is not among the methods asked for (${requested.map((each) => each.name).join(', ')})`,
  );
}

/**
 * Methods by name with the options of `--set method.option=value` (`option=value` where there is
 * one method).
 * @throws FoveaError `usage` for an unknown method or option, or a value out of range.
 */
export function requestMethods(
  methodNames: readonly string[],
  settings: readonly string[] = [],
): MethodRequest[] {
  const requested = methodNames.map(methods.get);
  const form = requested.length === 1 ? 'option=value' : 'method.option=value';
  const options = new Map(requested.map((method) => [method, {} as Record<string, unknown>]));
  for (const setting of settings) {
    const [name, text] = splitSetting('--set', setting, form);
    const [method, option] = addressOf(name, requested);
    const given = options.get(method);
    if (given) given[option] = valueFor(method, option, text);
  }
  return requested.map((method) => {
    const given = options.get(method) ?? {};
    parseOptions(method, given);
    return { method, options: given };
  });
}

/**
 * Preprocessing from `--preprocess key=value`, values as JSON or text: `resize=crop`,
 * `mean=[0.5,0.5,0.5]`.
 * @throws FoveaError `usage` naming the key that is unknown or wrong.
 */
export function requestPreprocessing(
  settings: readonly string[] = [],
): Partial<Preprocessing> | undefined {
  if (settings.length === 0) return undefined;
  const entries = settings.map((setting) => splitSetting('--preprocess', setting, 'key=value'));
  return parsePreprocessing(
    Object.fromEntries(entries.map(([key, text]) => [key, jsonOrText(text)])),
  );
}
