export * from './records.ts';
export { formatScore, methodOrder } from './report.ts';
export { writeResults } from './results.ts';
export { NO_MASK, type Problem, type RunEvents, runBenchmark } from './run.ts';
export { claimFolder, settingsOf } from './settings.ts';
export { openStore, type ScoreStore } from './store.ts';
export {
  type Summary,
  type SummaryCell,
  type SummaryCost,
  type SummaryCurve,
  type SummaryMetric,
  summarise,
} from './summarise.ts';
