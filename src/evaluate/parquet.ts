import { loadOptional } from '../node/optional-package.ts';
import type { MapRecord, ScoreRecord } from './records.ts';
import type { ScoreStore } from './store.ts';

interface Row {
  readonly score: ScoreRecord;
  readonly map: MapRecord | undefined;
}

type Column = readonly [
  name: string,
  type: 'STRING' | 'DOUBLE' | 'INT32',
  value: (row: Row) => string | number | null,
];

/** The columns of the table of scores, one row per score. */
const COLUMNS: readonly Column[] = [
  ['item', 'STRING', ({ score }) => score.item],
  ['method', 'STRING', ({ score }) => score.method],
  ['metric', 'STRING', ({ score }) => score.metric],
  ['preset', 'STRING', ({ score }) => score.preset],
  ['value', 'DOUBLE', ({ score }) => score.value],
  ['reason', 'STRING', ({ score }) => score.reason ?? null],
  ['label', 'STRING', ({ map }) => map?.label ?? null],
  ['target_index', 'INT32', ({ map }) => map?.target.index ?? null],
  ['target_label', 'STRING', ({ map }) => map?.target.label ?? null],
  ['target_probability', 'DOUBLE', ({ map }) => map?.target.probability ?? null],
  ['activated_pixels', 'INT32', ({ map }) => map?.activatedPixels ?? null],
  ['explain_forward_calls', 'INT32', ({ map }) => map?.modelCalls.forward ?? null],
  ['explain_backward_calls', 'INT32', ({ map }) => map?.modelCalls.backward ?? null],
  ['explain_seconds', 'DOUBLE', ({ map }) => map?.seconds ?? null],
  ['score_forward_calls', 'INT32', ({ score }) => score.modelCalls.forward],
  ['score_seconds', 'DOUBLE', ({ score }) => score.seconds],
];

/**
 * All scores of a store as an Apache Parquet file: one row per score, in the order in which they
 * came.
 * @throws FoveaError `unsupported` if hyparquet-writer is not installed.
 */
export async function scoresParquet(store: ScoreStore): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await loadOptional({
    name: 'hyparquet-writer',
    purpose: 'writing scores.parquet',
    load: () => import('hyparquet-writer'),
  });
  const rows = store
    .scores()
    .map((score): Row => ({ score, map: store.map(score.item, score.method) }));
  const columnData = COLUMNS.map(([name, type, value]) => ({
    name,
    type,
    data: rows.map(value),
    nullable: true,
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
