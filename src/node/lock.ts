import { randomUUID } from 'node:crypto';
import { link, readFile, readlink, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { parseJson } from '../json.ts';

/** The interval at which the holder of a lock renews it. */
const BEAT_MS = 15_000;

/** A lock of another machine is stale if it was not renewed for so long. */
export const STALE_MS = 120_000;

/** The content of a lock: who holds it. */
interface Holder {
  readonly token: string;
  readonly pid: number;
  /** The start time of that process, because ids are reused; empty if the system hides it. */
  readonly started: string;
  /** The machine, its boot and its namespace of process ids, in which `pid` is valid. */
  readonly home: string;
}

/** Where process ids are valid. Each container has its own; Linux names their namespace. */
async function findHome(): Promise<string> {
  const space = await readlink('/proc/self/ns/pid').catch(() => '');
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return [hostname(), boot.trim(), space].join(' ');
}

/** The start time of a process, as Linux counts it: field 22 of its `stat`. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

async function isRunning({ pid, started }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return (await startOf(pid)) === started;
}

/** The holder of a lock; undefined if there is none, or if the file is not a lock of Fovea. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const holder = parseJson(await readFile(path, 'utf8')) as Partial<Holder>;
    const { token, pid, started, home } = holder;
    if (!token || !pid || started === undefined || home === undefined) return undefined;
    return { token, pid, started, home };
  } catch {
    return undefined;
  }
}

/** Whether a running process holds a lock. */
export async function isLocked(path: string): Promise<boolean> {
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => undefined,
  );
  if (age === undefined) return false;
  const holder = await readHolder(path);
  if (holder?.home === (await findHome())) return isRunning(holder);
  return age < STALE_MS;
}

/**
 * Removes a stale lock. It first moves the lock aside and checks it again; if another process took
 * the lock meanwhile, it is put back.
 */
async function clear(path: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return; // another process was faster
  }
  if (await isLocked(aside)) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function take(path: string, holder: Holder): Promise<boolean> {
  for (const isLast of [false, true]) {
    try {
      await writeFile(path, JSON.stringify(holder), { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isLast || (await isLocked(path))) return false;
      await clear(path);
    }
  }
  return false;
}

/**
 * Makes a lock file, and returns a function that removes it; undefined if another process holds the
 * lock. If the holder's process has ended, its lock is replaced: at once if it ran on this machine,
 * after two minutes if it ran on another machine or in another container.
 * @throws the system's error if the file cannot be written
 */
export async function lock(path: string): Promise<(() => Promise<void>) | undefined> {
  const { pid } = process;
  const [started, home] = await Promise.all([startOf(pid), findHome()]);
  const holder = { token: randomUUID(), pid, started, home };
  if (!(await take(path, holder))) return undefined;
  const beat = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => {});
  }, BEAT_MS);
  beat.unref();
  return async () => {
    clearInterval(beat);
    if ((await readHolder(path))?.token === holder.token) await rm(path, { force: true });
  };
}
