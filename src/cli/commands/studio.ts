import { spawn } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hubAddress } from '../../node/hub.ts';
import { requireWritableFolder } from '../../node/write-file.ts';
import { createOutput, EXIT } from '../output.ts';
import { serveStudio } from '../studio/server.ts';
import { allowedHub, givenModel, type SiteFiles, studioFiles, withHub } from '../studio/site.ts';

interface StudioFlags {
  readonly port: number;
  readonly host: string;
  readonly model?: string;
  readonly open: boolean;
  readonly allowHub?: boolean;
  readonly write?: string;
}

/** The program that opens an address, by platform. */
const OPENERS: Readonly<Record<string, readonly string[]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
  linux: ['xdg-open'],
};

/** Opens the user's browser, if the machine has one. */
function openBrowser(address: string): void {
  const [program, ...args] = OPENERS[process.platform] ?? [];
  if (!program) return;
  const child = spawn(program, [...args, address], { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}

/** Copies the site to a folder for a web server. */
async function writeSite(files: SiteFiles, folder: string): Promise<void> {
  for (const [path, file] of files) {
    const target = join(folder, path === '/' ? 'index.html' : decodeURIComponent(path));
    await mkdir(dirname(target), { recursive: true });
    if (typeof file === 'string') await copyFile(file, target);
    else await writeFile(target, file.text);
  }
}

/** `fovea studio`: serves the page until the user interrupts it. Returns the exit code. */
export async function studioCommand(
  _args: readonly string[],
  { port, host, model, open, write, allowHub = false }: StudioFlags,
  signal: AbortSignal,
): Promise<number> {
  const output = createOutput({});
  const given = model === undefined ? undefined : givenModel(model);
  const hub = allowHub ? allowedHub(hubAddress()) : undefined;
  const own = new Map([...studioFiles(), ...(given?.files ?? [])]);
  const files = hub ? withHub(own, hub) : own;
  if (write !== undefined) {
    await requireWritableFolder(write);
    await writeSite(files, write);
    output.print(`The studio is in ${write}: serve this folder with any web server.`);
    return EXIT.done;
  }
  const server = await serveStudio(files, { host, port }, hub?.sources);
  const hash = given ? `#model=${encodeURIComponent(given.address)}` : '';
  const address = `${server.address}${hash}`;
  output.print(
    `Fovea studio: ${address}\n` +
      'Everything runs in your browser, on this machine.' +
      (hub
        ? ` If you ask for it, the page downloads models from ${new URL(hub.address).host}.`
        : '') +
      ' Press Ctrl-C to stop.',
  );
  if (open) openBrowser(address);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await server.close();
  return EXIT.done;
}
