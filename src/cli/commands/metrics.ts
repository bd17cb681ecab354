import { type Metric, metrics } from '../../metrics/index.ts';
import { describeOptions } from '../../option-words.ts';
import { type Fact, factLines, listing, optionLines } from '../describe.ts';
import { createOutput } from '../output.ts';

/** The things that a metric may need besides the map, in words. */
const NEEDS: Readonly<Record<string, string>> = {
  model: 'the model',
  mask: 'a mask of the object',
  explain: 'to run the method again',
  codec: 'an image codec',
};

const needsOf = ({ needs }: Metric): string =>
  needs.length === 0 ? 'the map only' : needs.map((need) => NEEDS[need] ?? need).join(', ');

const better = ({ direction }: Metric): string => `${direction} is better`;

/** A metric as `--json` prints it. */
function describe(metric: Metric) {
  const { name, title, direction, range, needs, level, paper, presets } = metric;
  const options = describeOptions(metric);
  // JSON has no infinity: null stands for a side without a bound.
  return { name, title, direction, range, needs, level, paper, presets, options };
}

/** Protocols with the options that they set; the first is the default. */
function protocolLines({ name, presets }: Metric): string {
  const facts = Object.entries(presets).map(([preset, options]): Fact => {
    const set = Object.entries(options).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    return [`  ${preset}`, set.join(', ') || 'the defaults'];
  });
  if (facts.length === 0) return '';
  return (
    `Protocols, asked for as --metrics ${name}:PROTOCOL; the first is the ` +
    `default:\n\n${factLines(facts)}\n\n`
  );
}

function details(metric: Metric): string {
  const { name, title, range, level, paper } = metric;
  const facts: Fact[] = [
    ['better', metric.direction],
    ['range', `${range[0]} to ${range[1]}`],
    ['needs', needsOf(metric)],
    ['data set', level === 'mean' ? 'the mean over the pictures' : level.replaceAll('-', ' ')],
    ['paper', paper],
  ];
  const options = optionLines(metric, `--set ${name}.NAME=VALUE`);
  return `${name}: ${title}\n\n${factLines(facts)}\n\n${protocolLines(metric)}${options}`;
}

/** `fovea metrics [name]`: all metrics, or one with its protocols and options. */
export function metricsCommand(
  [name]: readonly string[],
  flags: { readonly json?: boolean },
): number {
  const output = createOutput(flags);
  if (name !== undefined) {
    const metric = metrics.get(name);
    output.document(describe(metric));
    output.print(details(metric));
    return 0;
  }
  output.document([...metrics].map(describe));
  const items = [...metrics].map((metric) => ({
    ...metric,
    facts: [`${better(metric)} · needs ${needsOf(metric)}`, metric.paper],
  }));
  output.print(`${listing(items)}\n\nProtocols and options of a metric: fovea metrics NAME`);
  return 0;
}
