import { messageOf } from '../../errors.ts';
import { nextTask } from '../../next-task.ts';
import type { Differences } from '../../runtime/device-report.ts';
import type { Runtime, RuntimeTensor } from '../../runtime/runtime.ts';
import { at } from '../../tensor/at.ts';
import { type TestGraph, testGraphs } from './test-graphs.ts';

/** Devices that differ by more than this share of the largest value do not compute the same. */
export const TOLERANCE = 1e-3;

type Results = Readonly<Record<string, RuntimeTensor>>;

/** What a device is compared with, and what is compared. */
interface Comparison {
  readonly device: Runtime;
  /** A runtime whose results are right. */
  readonly reference: Runtime;
  readonly graphs?: readonly TestGraph[];
}

/** A difference with two digits: more would change between two runs of the same device. */
export const rounded = (difference: number): number => Number(difference.toPrecision(2));

/** max |a - b| / max |b|; infinite if a value of `a` is missing or is not a number. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let [difference, largest] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    const each = Math.abs(at(a, i) - at(b, i));
    difference = Number.isNaN(each) ? Number.POSITIVE_INFINITY : Math.max(difference, each);
    if (difference === Number.POSITIVE_INFINITY) return difference;
    largest = Math.max(largest, Math.abs(at(b, i)));
  }
  return difference / (largest || 1);
}

async function run(runtime: Runtime, { make }: TestGraph): Promise<Results> {
  const { bytes, feeds } = await make();
  const session = await runtime.createSession(bytes);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

const numbersOf = (tensor: RuntimeTensor | undefined): Float32Array =>
  tensor?.data instanceof Float32Array ? tensor.data : new Float32Array();

/**
 * Runs small graphs that some graphics drivers compute wrong on a device and on one that computes
 * them right.
 * @returns the largest difference of each graph, relative to its largest value.
 */
export async function compareDevices({
  device,
  reference,
  graphs = testGraphs,
}: Comparison): Promise<Differences> {
  const differences: Record<string, number | string> = {};
  for (const graph of graphs) {
    await nextTask(); // a page stays free between two graphs
    try {
      const expected = await run(reference, graph);
      const found = await run(device, graph);
      const each = Object.entries(expected).map(([name, tensor]) =>
        largestDifference(numbersOf(found[name]), numbersOf(tensor)),
      );
      const largest = Math.max(...each);
      differences[graph.name] = Number.isFinite(largest) ? rounded(largest) : 'not a number';
    } catch (error) {
      differences[graph.name] = messageOf(error);
    }
  }
  return differences;
}

/** The names of what differs too much, or has no result. */
export const wrongOnes = (differences: Differences, tolerance = TOLERANCE): string[] =>
  Object.entries(differences)
    .filter(([, difference]) => !(typeof difference === 'number' && difference <= tolerance))
    .map(([name]) => name);
