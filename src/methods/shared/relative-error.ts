import { extent, mean } from '../../tensor/statistics.ts';

/** The mean standard error, as a share of the range of the map; 0 for a constant map. */
export function relativeError(map: ArrayLike<number>, errors: ArrayLike<number>): number {
  const [min, max] = extent(map);
  return max > min ? mean(errors) / (max - min) : 0;
}
