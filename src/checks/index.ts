export {
  type CheckedMap,
  type CheckedSet,
  checkSufficiency,
  type Sufficiency,
  type SufficiencyOptions,
} from './sufficiency.ts';
