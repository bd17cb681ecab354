import { FoveaError, throwIfCancelled } from '../../errors.ts';
import { nextTask } from '../../next-task.ts';
import { isAllocationFailure } from '../../runtime/onnxruntime.ts';
import { sizeOf, type Tensor, tensor } from '../../tensor/tensor.ts';
import type { RunOptions } from '../model.ts';

/**
 * The largest number of pictures per session call. If the runtime fails to allocate memory, it
 * becomes smaller and stays so.
 */
export interface BatchLimit {
  size: number;
}

/**
 * Runs `total` pictures in batches, one after the other. If the runtime has no memory for a batch,
 * the batch is halved, tried again, and `limit` keeps the smaller size. `most` is a limit of this
 * call only. Other tasks of the event loop run before each batch, so a page stays responsive and
 * can cancel.
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
 * Runs `total` pictures in batches and joins their rows to [total, columns]. Throws as
 * `forEachBatch` does.
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

/** Rows `from` … `to` - 1 of a batch, as a view of the same data. */
export function rowsOf({ shape, data }: Tensor, from: number, to: number): Tensor {
  const size = sizeOf(shape.slice(1));
  return tensor([to - from, ...shape.slice(1)], data.subarray(from * size, to * size));
}

/** Fills a batch up to the size that a model needs, by repeating its last picture. */
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
