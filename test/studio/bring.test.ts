import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../browser/modules.ts';
import { canRun, drop, dropPaths, mapIsMade, PATIENCE, useStudio } from './studio.ts';

const shared = join(ROOT, '../shared/models');
const CNN = join(ROOT, 'dist/demo/models/demo-cnn.onnx');
const sceneOf = (name: string) => join(ROOT, 'dist/studio/scenes', name);

/** A model whose convolutions have a name that no runtime knows. */
async function withUnknownOperator(): Promise<Buffer> {
  const bytes = await readFile(CNN);
  for (let at = bytes.indexOf('Conv'); at >= 0; at = bytes.indexOf('Conv', at + 4))
    bytes.write('Kunv', at, 'latin1');
  return bytes;
}

/** A hub with one repository. */
class Hub {
  readonly asked: string[] = [];
  #server: Server | undefined;

  async start(): Promise<void> {
    const model = await readFile(CNN);
    const json = JSON.parse(await readFile(CNN.replace('.onnx', '.json'), 'utf8'));
    const id2label = Object.fromEntries((json.labels as string[]).entries());
    this.#server = createServer(({ method, url = '' }, response) => {
      this.asked.push(`${method} ${url}`);
      const files: Record<string, string | Buffer> = {
        '/lab/pizza/resolve/main/onnx/model.onnx': model,
        '/lab/pizza/resolve/main/config.json': JSON.stringify({ id2label }),
      };
      const body = files[url];
      response.writeHead(body ? 200 : 404, { 'access-control-allow-origin': '*' });
      response.end(method === 'HEAD' ? undefined : body);
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, '127.0.0.1', resolve));
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server?.address() as AddressInfo | undefined)?.port}`;
  }

  end(): void {
    this.#server?.close();
  }
}

describe.skipIf(!canRun())('bringing pictures and models to the studio', PATIENCE, () => {
  const hub = new Hub();
  let folder: string;
  beforeAll(async () => {
    await hub.start();
    folder = await mkdtemp(join(tmpdir(), 'fovea-bring-'));
    await mkdir(join(folder, 'pictures/inner'), { recursive: true });
    await copyFile(sceneOf('01-pizza.png'), join(folder, 'pictures/first.png'));
    await copyFile(sceneOf('03-panda.png'), join(folder, 'pictures/inner/second.png'));
    await writeFile(join(folder, 'pictures/notes.txt'), 'not a picture');
    await mkdir(join(folder, 'repository/onnx'), { recursive: true });
    await copyFile(CNN, join(folder, 'repository/onnx/model.onnx'));
    const id2label = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [i, `sort ${i}`]));
    await writeFile(join(folder, 'repository/config.json'), JSON.stringify({ id2label }));
  });
  const visit = useStudio({
    args: ['--allow-hub'],
    env: () => ({ HF_ENDPOINT: hub.address }),
    browserArgs: ['--use-fake-device-for-media-stream'],
    // The browser reports each file that the hub does not have.
    allowed: /status of 404/,
  });
  afterAll(async () => {
    hub.end();
    await rm(folder, { recursive: true, force: true });
  });

  it('reads pictures that are dropped, pasted, and in a folder that is chosen or dropped', async () => {
    const page = await visit.open('', { permissions: ['clipboard-read', 'clipboard-write'] });
    await mapIsMade(page);
    const bytes = await readFile(sceneOf('05-bicycle.png'));
    await drop(page, [{ name: 'mine.png', bytes, type: 'image/png' }]);
    await page.getByRole('button', { name: 'mine.png' }).waitFor();
    await page.getByTitle('Explain bicycle').waitFor();
    await page.evaluate(async () => {
      const picture = await (await fetch('./scenes/12-teapot.png')).blob();
      await navigator.clipboard.write([new ClipboardItem({ 'image/png': picture })]);
    });
    await page.keyboard.press('Control+v');
    await page.getByRole('button', { name: 'image.png' }).waitFor();
    await page.getByTitle('Explain teapot').waitFor();
    const chooser = page.waitForEvent('filechooser');
    await page.getByText('Folder…').first().click();
    await (await chooser).setFiles(join(folder, 'pictures'));
    for (const name of ['first.png', 'second.png'])
      await page.getByRole('button', { name }).waitFor();
    await dropPaths(page, [join(folder, 'pictures')]);
    await page.getByRole('button', { name: 'second.png' }).nth(1).waitFor();
    expect(await page.locator('.problem').count()).toBe(0);
  });

  it('takes a picture with the camera, and says what to do if the browser refuses it', async () => {
    const { page } = visit;
    await page.getByRole('button', { name: 'Camera', exact: true }).click();
    await page.locator('.problem', { hasText: 'does not let this page use the camera' }).waitFor();
    await page.getByRole('button', { name: 'Close', exact: true }).click();
    await visit.current.context.grantPermissions(['camera']);
    await page.getByRole('button', { name: 'Camera', exact: true }).click();
    await page.getByRole('button', { name: 'Take the picture' }).click();
    await page.getByRole('button', { name: 'camera-1.png' }).waitFor();
    await page.locator('video').waitFor({ state: 'detached' });
  });

  it('reads a model that is dropped and lets its assumptions be corrected', async () => {
    const { page } = visit;
    await drop(page, [{ name: 'plain.onnx', bytes: await readFile(CNN) }]);
    await page.getByText('32 classes, 224×224 pixels – please check').click();
    await page.getByLabel('Mean of each color').fill('0.485, 0.456, nothing');
    await page.getByRole('button', { name: 'Use these' }).click();
    await page.getByText('must be numbers').waitFor();
    await page.getByLabel('Mean of each color').fill('0.485, 0.456, 0.406');
    await page.getByLabel('Names of the classes').setInputFiles({
      name: 'names.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from(Array.from({ length: 32 }, (_, i) => `thing ${i}`).join('\n')),
    });
    await page.getByRole('button', { name: 'Use these' }).click();
    await page
      .getByTitle(/^Explain thing/)
      .first()
      .waitFor();
  });

  it('reads a Hugging Face folder that is chosen or dropped', async () => {
    const { page } = visit;
    for (const bring of ['choose', 'drop'] as const) {
      if (bring === 'drop') await dropPaths(page, [join(folder, 'repository')]);
      else {
        const chooser = page.waitForEvent('filechooser');
        await page.getByText('Folder…').nth(1).click();
        await (await chooser).setFiles(join(folder, 'repository'));
      }
      await page
        .getByTitle(/^Explain sort/)
        .first()
        .waitFor();
      await page.getByRole('radio', { name: /honest/ }).check();
      await page
        .getByTitle(/^Explain sort/)
        .first()
        .waitFor({ state: 'detached' });
    }
  });

  it('asks before it connects to a hub, loads a model from there, and says what a hub lacks', async () => {
    const { page } = visit;
    await page.getByText('From a model hub').click();
    const id = page.getByLabel('Hub id');
    await id.fill('pizza');
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    await page.getByText('A hub id has two parts').waitFor();
    await id.fill('lab/none');
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    await page.getByRole('button', { name: 'Do not connect' }).click();
    expect(hub.asked).toEqual([]);
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByText('lab/none has no onnx/model.onnx or model.onnx').waitFor();
    await id.fill('lab/pizza');
    await page.getByRole('button', { name: 'Load', exact: true }).click();
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByText('Yours').last().waitFor();
    await page.getByText(/^32 classes/).waitFor();
    expect(hub.asked).toContain('GET /lab/pizza/resolve/main/config.json');
    await mapIsMade(page);
    await page.getByText('Take it away').click();
    expect(await page.locator('pre').first().innerText()).toContain('--model lab/pizza');
    const elsewhere = await page.evaluate(() =>
      fetch('https://example.com/').then(String, (error) => `refused: ${error}`),
    );
    expect(elsewhere).toMatch(/^refused/);
    visit.forget(/example\.com/);
  });

  it('says what is wrong with a broken file, an unknown operator and no picture, and goes on', async () => {
    const { page } = visit;
    await drop(page, [{ name: 'broken.onnx', bytes: Buffer.from('not a model at all') }]);
    await page.locator('.problem', { hasText: 'broken' }).waitFor();
    await page.getByText('Choose another one in step 2').waitFor();
    await drop(page, [{ name: 'strange.onnx', bytes: await withUnknownOperator() }]);
    await page.locator('.problem', { hasText: 'Kunv' }).waitFor();
    await drop(page, [{ name: 'notes.png', bytes: Buffer.from('no picture'), type: 'image/png' }]);
    await page.locator('.problem', { hasText: 'notes.png is damaged' }).waitFor();
    await page.getByRole('radio', { name: /honest/ }).check();
    await page.getByText(/^32 classes/).waitFor();
  });

  it.skipIf(!existsSync(join(shared, 'yolox_nano.onnx')))(
    'refuses a detector, and says why',
    async () => {
      const { page } = visit;
      const bytes = await readFile(join(shared, 'yolox_nano.onnx'));
      await drop(page, [{ name: 'yolox_nano.onnx', bytes }]);
      await page.locator('.problem', { hasText: 'yolox_nano' }).waitFor();
      await page.getByRole('radio', { name: /honest/ }).check();
      await page.getByText(/^32 classes/).waitFor();
    },
  );
});
