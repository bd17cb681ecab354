import * as v from 'valibot';

/** A number that is neither NaN nor infinite. */
export const number = /*#__PURE__*/ v.pipe(/*#__PURE__*/ v.number(), /*#__PURE__*/ v.finite());

/** A whole number that a float64 holds exactly. */
export const integer = /*#__PURE__*/ v.pipe(
  /*#__PURE__*/ v.number(),
  /*#__PURE__*/ v.safeInteger(),
);
