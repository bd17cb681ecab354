import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder for the files of a target, and a function that removes it. */
export function temporaryFolder(name: string): { at(...parts: string[]): string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), `fovea-fuzz-${name}-`));
  return {
    at: (...parts) => join(folder, ...parts),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
