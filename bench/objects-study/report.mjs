// @ts-check
/** Prints the tables of the study. */

/** @import { Protocol, Row, Variant } from './types.mjs' */

/**
 * The 95% interval of the mean by the percentile bootstrap, with 2000 resamples and a fixed seed.
 * @returns {[number, number]}
 */
function bootstrap(/** @type {any} */ fovea, /** @type {number[]} */ values) {
  const random = fovea.createRandom(1);
  const means = Float64Array.from(
    { length: 2000 },
    () => values.reduce((sum) => sum + values[random.integer(values.length)], 0) / values.length,
  ).sort();
  return [means[50], means[1949]];
}

const mean = (/** @type {number[]} */ values) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const markdown = (/** @type {string[]} */ head, /** @type {string[][]} */ rows) =>
  [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

/** `mean (low … high)`, or a dash if there are no values. */
function cell(
  /** @type {any} */ fovea,
  /** @type {(number | null | undefined)[]} */ values,
  factor = 1,
  sign = false,
) {
  const known = values.flatMap((value) =>
    value === null || value === undefined ? [] : [value * factor],
  );
  if (known.length === 0) return '-';
  const text = (/** @type {number} */ value) =>
    `${sign && value >= 0 ? '+' : ''}${value.toFixed(factor === 1 ? 3 : 2)}`;
  const [low, high] = bootstrap(fovea, known);
  return `${text(mean(known))} (${text(low)} … ${text(high)})`;
}

/** Prints image-level means, pixel-level means, differences to the first variant, and traces. */
export function report(
  /** @type {any} */ fovea,
  /** @type {Variant[]} */ variants,
  /** @type {Map<string, Row[]>} */ rows,
  /** @type {Protocol} */ { metrics },
) {
  const rowsOf = (/** @type {Variant} */ { name }) => rows.get(name) ?? [];
  const arrow = (/** @type {string} */ name) =>
    `${name} ${fovea.metrics.get(name).direction === 'higher' ? '↑' : '↓'}`;
  const table = (
    /** @type {string} */ title,
    /** @type {string[]} */ more,
    /** @type {(variant: Variant) => string[]} */ line,
    shown = variants,
  ) =>
    console.log(
      `\n${title}\n\n${markdown(
        ['variant', ...metrics.map(arrow), ...more],
        shown.map((variant) => [variant.name, ...line(variant)]),
      )}`,
    );

  table(
    'Mean (95% bootstrap interval)',
    ['activated pixels', 'calls', 'seconds', 'pictures'],
    (variant) => {
      const own = rowsOf(variant);
      const plain = (/** @type {number[]} */ values, digits = 0) =>
        values.length === 0 ? '-' : mean(values).toFixed(digits);
      return [
        ...metrics.map((name) =>
          cell(
            fovea,
            own.map(({ scores }) => scores[name]),
          ),
        ),
        ...[
          plain(own.map((row) => row.activated)),
          plain(own.map((row) => row.calls)),
          plain(
            own.map((row) => row.seconds),
            2,
          ),
          String(own.length),
        ],
      ];
    },
  );
  table('Per activated pixel, × 10⁻⁵', [], (variant) =>
    metrics.map((name) =>
      cell(
        fovea,
        rowsOf(variant).map(({ scores, activated }) =>
          scores[name] === null || activated === 0 ? null : scores[name] / activated,
        ),
        1e5,
      ),
    ),
  );
  if (variants.length > 1) {
    const first = new Map(rowsOf(variants[0]).map((row) => [row.image, row]));
    const difference = (/** @type {Row} */ row, /** @type {string} */ name) => {
      const [a, b] = [row.scores[name], first.get(row.image)?.scores[name]];
      return a === null || b === null || b === undefined ? null : a - b;
    };
    table(
      `Difference to ${variants[0].name}, picture by picture`,
      [],
      (variant) =>
        metrics.map((name) =>
          cell(
            fovea,
            rowsOf(variant).map((row) => difference(row, name)),
            1,
            true,
          ),
        ),
      variants.slice(1),
    );
  }
  for (const variant of variants.filter(({ trace }) => trace > 0))
    reportTrace(fovea, variant, rowsOf(variant), metrics);
}

function reportTrace(
  /** @type {any} */ fovea,
  /** @type {Variant} */ variant,
  /** @type {Row[]} */ rows,
  /** @type {string[]} */ metrics,
) {
  const steps = Math.max(0, ...rows.map(({ trace }) => trace?.length ?? 0));
  if (steps === 0) return;
  const lines = Array.from({ length: steps }, (_, i) => {
    const points = rows.flatMap(({ trace }) => (trace?.[i] ? [trace[i]] : []));
    return [
      String((i + 1) * variant.trace),
      mean(points.map(({ calls }) => calls)).toFixed(0),
      String(points.length),
      ...metrics.map((name) =>
        cell(
          fovea,
          points.map(({ scores }) => scores[name]),
        ),
      ),
    ];
  });
  console.log(
    `\nIntermediate maps of ${variant.name}\n\n` +
      markdown(['map', 'calls', 'pictures', ...metrics], lines),
  );
}
