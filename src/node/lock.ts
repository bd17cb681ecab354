import { readFile, rm, stat, writeFile } from 'node:fs/promises';

/** A lock that is older is left over: no download takes a day. */
const LOCK_AGE = 24 * 3_600_000;

/**
 * Makes a lock file with this process's number in it; true for the one process that gets it. A lock
 * whose process is gone is taken over.
 */
export async function lock(path: string): Promise<boolean> {
  for (const isLast of [false, true]) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isLast || !(await isStale(path))) return false;
      await rm(path, { force: true });
    }
  }
  return false;
}

/** Whether the process that made a lock is gone. */
async function isStale(path: string): Promise<boolean> {
  try {
    const [{ mtimeMs }, text] = await Promise.all([stat(path), readFile(path, 'utf8')]);
    if (Date.now() - mtimeMs > LOCK_AGE) return true;
    process.kill(Number(text), 0); // throws if that process is gone
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EPERM';
  }
}
