import en from 'zod/v4/locales/en.js';

/**
 * For `safeParse` of zod/mini, whose errors have no words of their own: says in English what was
 * expected and what was found.
 */
export const IN_ENGLISH = { error: en().localeError };
