import { loadOptional } from './optional-package.ts';

/** The function that the package sharp exports. */
export type Sharp = typeof import('sharp').default;

/**
 * Loads the picture codecs of sharp at their first use.
 * @throws FoveaError `unsupported` if sharp is not installed or does not load.
 */
export async function loadSharp(): Promise<Sharp> {
  const { default: sharp } = await loadOptional({
    name: 'sharp',
    purpose: 'reading and writing pictures',
    load: () => import('sharp'),
  });
  return sharp;
}
