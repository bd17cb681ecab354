/**
 * Evaluating explanations. Importing it registers Fovea's methods and metrics, so that `evaluate`
 * takes them by name.
 */
import '../methods/index.ts';
import '../metrics/index.ts';

export {
  type ChosenMethod,
  type ChosenMetric,
  type EvaluateOptions,
  type EvaluationResult,
  type EvaluationStart,
  evaluate,
  type MethodChoice,
  type MetricChoice,
  prepareMethod,
  prepareMetric,
} from './evaluate.ts';
export { controlWarnings, coverage, formatScore, methodOrder, metricAgreement } from './ranking.ts';
export type {
  EvaluationMethod,
  EvaluationMetric,
  EvaluationRecord,
  MapRecord,
  ScoreRecord,
  TargetPolicy,
} from './records.ts';
export type { ResultFiles } from './results.ts';
export type { Problem, RunEvents } from './run.ts';
export type { Settings } from './settings.ts';
export type {
  Summary,
  SummaryCell,
  SummaryCost,
  SummaryCurve,
  SummaryMethod,
  SummaryMetric,
} from './summarise.ts';
