import { FoveaError, throwIfCancelled } from '../errors.ts';
import { isAllocationFailure } from '../runtime/onnxruntime.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import type { RunOptions } from './model.ts';

/** The most pictures one session call may hold; shrinks for good when the runtime fails to allocate. */
export interface BatchLimit {
  size: number;
}

/**
 * Runs `total` pictures in batches and puts their rows together as [total, columns].
 * A batch the runtime has no memory for is halved and tried again.
 * @throws FoveaError `out-of-memory` if not even one picture fits, `cancelled` if the signal fires.
 */
export async function runInBatches(
  total: number,
  columns: number,
  limit: BatchLimit,
  options: RunOptions,
  run: (from: number, to: number) => Promise<Float32Array>,
): Promise<Tensor> {
  checkBatchSize(options.batchSize);
  const result = new Float32Array(total * columns);
  for (let from = 0; from < total; ) {
    throwIfCancelled(options.signal);
    const to = Math.min(total, from + Math.min(limit.size, options.batchSize ?? Number.POSITIVE_INFINITY));
    try {
      result.set(await run(from, to), from * columns);
    } catch (error) {
      if (!isAllocationFailure(error)) throw error;
      if (to - from === 1) {
        throw new FoveaError('out-of-memory', 'the runtime could not allocate memory for a single picture: use a smaller model or input size', {
          cause: error,
        });
      }
      limit.size = Math.ceil((to - from) / 2);
      continue;
    }
    from = to;
    options.onProgress?.(from, total);
  }
  return tensor([total, columns], result);
}

function checkBatchSize(batchSize: number | undefined): void {
  if (batchSize !== undefined && !(Number.isInteger(batchSize) && batchSize >= 1)) {
    throw new FoveaError('usage', `batch size ${batchSize}: expected a whole number of at least 1`);
  }
}
