import { FoveaError, messageOf } from '../errors.ts';

/** A package that Fovea loads only when something needs it. */
export interface OptionalPackage<Module> {
  /** Its name at the registry. */
  readonly name: string;
  /** The use of the package, as the subject of a sentence: `reading pictures`. */
  readonly purpose: string;
  /** The import itself, such as `() => import('sharp')`. */
  readonly load: () => Promise<Module>;
}

const isMissing = (cause: unknown): boolean =>
  (cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_MODULE_NOT_FOUND';

/**
 * Loads a package at its first use. Node keeps it for later calls.
 * @throws FoveaError `unsupported` if the package is missing or does not load; the message says
 * what to install.
 */
export async function loadOptional<Module>({
  name,
  purpose,
  load,
}: OptionalPackage<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const [reason = ''] = messageOf(cause).split('\n');
    const what = isMissing(cause)
      ? `the package ${name}, which is not installed`
      : `the package ${name}, which does not load on ${process.platform} ${process.arch} ` +
        `(${reason.trim().slice(0, 200)})`;
    throw new FoveaError('unsupported', `${purpose} needs ${what}: run "npm install ${name}"`, {
      cause,
    });
  }
}
