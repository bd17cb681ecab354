import { visibleText } from './visible-text.ts';

/**
 * The stable codes of errors that come from input, environment or interruption. A message says what
 * happened, where, what was expected and what to do.
 */
export type FoveaErrorCode =
  | 'usage' // an option, name or value the caller got wrong
  | 'image' // a picture that cannot be read
  | 'model' // a model file that cannot be read or is no classifier
  | 'unsupported' // valid input that Fovea, or this runtime, cannot process
  | 'unexplained' // a method that works on the model but finds no explanation of this picture
  | 'runtime' // the inference runtime refused or failed
  | 'download' // a hub file that could not be fetched
  | 'output' // a result that could not be written
  | 'out-of-memory' // the runtime failed to allocate even at batch size 1
  | 'cancelled' // the caller's AbortSignal fired
  | 'internal'; // a bug in Fovea

/** The longest message, because a message may quote the whole of a file. */
const MOST_CHARACTERS = 1500;

/** A text without its middle, if it is too long. */
const shortened = (text: string): string =>
  text.length <= MOST_CHARACTERS ? text : `${text.slice(0, 1000)} … ${text.slice(-400)}`;

/**
 * An error for the caller: one clear sentence, and a code that never changes. Control characters in
 * quoted text are escaped, so the message is safe on a terminal. A message of more than 1,500
 * characters is shortened in its middle.
 */
export class FoveaError extends Error {
  readonly code: FoveaErrorCode;

  constructor(code: FoveaErrorCode, message: string, options?: { cause?: unknown }) {
    super(shortened(visibleText(code === 'internal' ? `internal: ${message}` : message)), options);
    this.name = 'FoveaError';
    this.code = code;
  }
}

/** Throws a `cancelled` error if the signal has fired. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new FoveaError('cancelled', 'the explanation was cancelled');
}

/** The message of anything thrown, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
