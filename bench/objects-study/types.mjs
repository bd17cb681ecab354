// @ts-check
/** Types of the study of objects. */

/** @typedef {{ file: string, index: number }} Item */
/** @typedef {Record<string, number | null>} Scores */
/** @typedef {{ step: number, metrics: string[], tolerance: number }} Protocol */
/** @typedef {{ calls: number, detail: object, scores: Scores, activated: number }} TracePoint */
/**
 * @typedef {object} Variant
 * @property {string} name
 * @property {string} method
 * @property {Record<string, unknown>} options
 * @property {number} seed
 * @property {number} trace
 */
/**
 * @typedef {object} Row
 * @property {string} key
 * @property {string} image
 * @property {Scores} scores
 * @property {number} activated
 * @property {number} calls
 * @property {number} seconds
 * @property {number} probability
 * @property {TracePoint[]} [trace]
 */

export {};
