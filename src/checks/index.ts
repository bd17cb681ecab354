export { type CheckedSet, STATEMENTS, type Statement } from './statements.ts';
export {
  type CheckedMap,
  checkSufficiency,
  type Sufficiency,
  type SufficiencyOptions,
} from './sufficiency.ts';
