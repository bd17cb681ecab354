import { FoveaError, throwIfCancelled } from '../../errors.ts';
import { nextTask } from '../../next-task.ts';
import { isAllocationFailure } from '../../runtime/onnxruntime.ts';
import { sizeOf, type Tensor, tensor } from '../../tensor/tensor.ts';
import type { RunOptions } from '../model.ts';

/**
 * The most pictures one session call may hold; shrinks for good when the runtime fails to allocate.
 */
export interface BatchLimit {
  size: number;
}

/**
 * Runs `total` pictures in batches, one after the other. A batch that the runtime has no memory for
 * is halved and tried again, and `limit` remembers it. `most` bounds this call alone. Other tasks
 * of the event loop run before each batch, so a page stays alive and can cancel.
 * @throws FoveaError `out-of-memory` if not even one picture fits, `cancelled` if the signal fires.
 */
export async function forEachBatch(
  total: number,
  limit: BatchLimit,
  options: RunOptions,
  run: (from: number, to: number) => Promise<void>,
  most = Number.POSITIVE_INFINITY,
): Promise<void> {
  checkBatchSize(options.batchSize);
  for (let from = 0; from < total; ) {
    await nextTask();
    throwIfCancelled(options.signal);
    const to = Math.min(total, from + Math.min(limit.size, most, options.batchSize ?? most));
    try {
      await run(from, to);
    } catch (error) {
      if (!isAllocationFailure(error)) throw error;
      if (to - from === 1) {
        throw new FoveaError(
          'out-of-memory',
          'the runtime could not allocate memory for a single picture: use a smaller model ' +
            'or input size',
          {
            cause: error,
          },
        );
      }
      limit.size = Math.ceil((to - from) / 2);
      continue;
    }
    from = to;
    options.onProgress?.(from, total);
  }
}

/**
 * Runs `total` pictures in batches and puts their rows together as [total, columns]; errors as
 * `forEachBatch`.
 */
export async function runInBatches(
  total: number,
  columns: number,
  limit: BatchLimit,
  options: RunOptions,
  run: (from: number, to: number) => Promise<Float32Array>,
): Promise<Tensor> {
  const result = new Float32Array(total * columns);
  await forEachBatch(total, limit, options, async (from, to) =>
    result.set(await run(from, to), from * columns),
  );
  return tensor([total, columns], result);
}

/** Rows `from` to `to` of a batch, not copied. */
export function rowsOf({ shape, data }: Tensor, from: number, to: number): Tensor {
  const size = sizeOf(shape.slice(1));
  return tensor([to - from, ...shape.slice(1)], data.subarray(from * size, to * size));
}

/** Fills a batch up to the size a model insists on, by repeating its last picture. */
export function padBatch(batch: Tensor, size: number | null): Tensor {
  const [count = 0, ...rest] = batch.shape;
  if (size === null || count >= size) return batch;
  const picture = sizeOf(rest);
  const padded = new Float32Array(size * picture);
  padded.set(batch.data);
  for (let i = count; i < size; i++)
    padded.set(batch.data.subarray((count - 1) * picture, count * picture), i * picture);
  return tensor([size, ...rest], padded);
}

function checkBatchSize(batchSize: number | undefined): void {
  if (batchSize !== undefined && !(Number.isInteger(batchSize) && batchSize >= 1)) {
    throw new FoveaError('usage', `batch size ${batchSize}: expected a whole number of at least 1`);
  }
}
