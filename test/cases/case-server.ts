import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './run-command.ts';

/** A request that one of the servers of a case got. */
interface Logged {
  readonly server: 'main' | 'other';
  readonly path: string;
  readonly key?: string;
}

/** Misbehaving model servers in a process of their own. */
export interface CaseServer {
  /** The address of the model in a mode. */
  model(mode: string): string;
  requests(): Logged[];
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

/** Starts the servers of a case, which listen on two fixed ports, on two that are free. */
export async function startCaseServer(script: string): Promise<CaseServer> {
  const folder = await temporaryFolder();
  const [main, other] = [await freePort(), await freePort()];
  const text = readFileSync(script, 'utf8')
    .replaceAll('18761', String(main))
    .replaceAll('18762', String(other));
  writeFileSync(join(folder, 'server.mjs'), text);
  writeFileSync(join(folder, 'server.log'), '');
  const child: ChildProcess = spawn(process.execPath, ['server.mjs'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise((resolve, reject) => {
    child.stdout?.once('data', resolve);
    child.once('exit', () => reject(new Error('the server of the case ended')));
  });
  await Promise.all([reachable(main), reachable(other)]);
  return {
    model: (mode) => `http://127.0.0.1:${main}/${mode}/v2/models/m`,
    requests: () =>
      readFileSync(join(folder, 'server.log'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Logged),
  };
}

/** Resolves when a server accepts connections at a port. */
async function reachable(port: number): Promise<void> {
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
