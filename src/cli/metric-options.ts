import { FoveaError } from '../errors.ts';
import { type Metric, metrics } from '../metrics/index.ts';
import type { AnyOptions } from '../options.ts';
import { splitSettings, valueFor } from './settings.ts';

/** A metric, its protocol, and the options that differ from it, as the user gave them. */
export interface MetricRequest {
  /** `NAME` or `NAME:PRESET`. */
  readonly key: string;
  readonly metric: Metric;
  readonly preset?: string;
  readonly options: AnyOptions;
}

/** The names of all metrics. */
export const allMetrics = (): readonly string[] => metrics.names;

/** `NAME` or `NAME:PRESET`. */
function metricOf(key: string): Omit<MetricRequest, 'options'> {
  const [, name = '', preset] = /^([^:]*)(?::(.*))?$/.exec(key) ?? [];
  return { key, metric: metrics.get(name), preset };
}

/**
 * Metrics by name (`NAME:PRESET` for another protocol than the first), with the options of
 * `--set metric.option=value`. Settings of methods are ignored. The options are not checked here.
 * @throws FoveaError `usage` for an unknown metric, or a setting of a metric that is not requested.
 */
export function requestMetrics(
  keys: readonly string[],
  settings: readonly string[] = [],
): MetricRequest[] {
  const requested = keys.map(metricOf);
  const given = Object.entries(splitSettings('--set', settings)).flatMap(([address, text]) => {
    const [name, option] = [
      address.slice(0, address.indexOf('.')),
      address.slice(address.indexOf('.') + 1),
    ];
    return metrics.has(name) ? [{ name, option, text: String(text) }] : [];
  });
  for (const { name } of given) {
    if (!requested.some(({ metric }) => metric.name === name))
      throw new FoveaError('usage', `--set ${name}: ${name} is not among the requested metrics`);
  }
  return requested.map(({ key, metric, preset }) => {
    const own = given.filter(({ name }) => name === metric.name);
    const options = Object.fromEntries(
      own.map(({ option, text }) => [option, valueFor(metric, option, text)]),
    );
    return { key, metric, preset, options };
  });
}
