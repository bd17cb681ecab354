import { InvalidArgumentError } from 'commander';
import { didYouMean } from '../near-names.ts';

/** A parser of an option: an integer from `least` to `most`. */
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
 * A parser of an option `a,b` that may also be given several times. Each name is kept once, in the
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

function checkName(name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  throw new InvalidArgumentError(
    `"${name}": ${didYouMean(name, known)}expected one of ${known.join(', ')}.`,
  );
}

/** A parser of an option: one name from a list. */
export function oneOf(known: readonly string[]): (text: string) => string {
  return (text) => {
    checkName(text, known);
    return text;
  };
}

/** A parser of an option `a,b`: several names from a list. */
export function namesOf(
  known: readonly string[],
): (text: string, before: readonly string[] | undefined) => string[] {
  return (text, before) => {
    const given = names(text, before);
    for (const name of given) checkName(name, known);
    return given;
  };
}

/** A parser of an option `50,90`: percentages above 0. */
export function percentages(text: string): number[] {
  const values = text.split(',').map(Number);
  if (values.some((value) => !(value > 0 && value <= 100)))
    throw new InvalidArgumentError(
      'Expected numbers above 0 and at most 100, separated by commas.',
    );
  return values;
}

/** A parser of an option: a number from `least` to `most`. */
export function numberFrom(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most))
      throw new InvalidArgumentError(`Expected a number from ${least} to ${most}.`);
    return value;
  };
}

/** A parser of an option: a number from 0 to below 1. */
export function shareOf(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < 1))
    throw new InvalidArgumentError('Expected a number from 0 to below 1.');
  return value;
}

/** A parser that collects the values of an option that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}
