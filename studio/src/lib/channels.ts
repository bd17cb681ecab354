import type { FeatureMap, Tensor } from 'fovea/web';
import type { LayerGradients } from 'fovea/worker';

/** A channel of a stage: one thing that the stage looks for, and where it found it. */
export interface Channel {
  readonly index: number;
  /** What it adds to the score of the class, to first order: the sum of value × gradient. */
  readonly gain: number;
  /** Its values, [height, width]. */
  readonly map: Tensor;
}

/** The channels of a stage for a picture and a class, those that speak most for the class first. */
export function channelsOf(
  { layout, prefix, channels, height, width }: FeatureMap,
  { values: [values], gradients: [gradients] }: LayerGradients,
): Channel[] {
  if (!values || !gradients) return [];
  const cells = height * width;
  const isFirst = layout === 'channels-first';
  const list = Array.from({ length: channels }, (_, index): Channel => {
    const data = new Float32Array(cells);
    let gain = 0;
    for (let cell = 0; cell < cells; cell++) {
      const at = isFirst ? index * cells + cell : (prefix + cell) * channels + index;
      const value = values.data[at] ?? 0;
      data[cell] = value;
      gain += value * (gradients.data[at] ?? 0);
    }
    return { index, gain, map: { shape: [height, width], data } };
  });
  return list.sort((a, b) => b.gain - a.gain);
}
