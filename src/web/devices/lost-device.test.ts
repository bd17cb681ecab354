import { expect, it } from 'vitest';
import type { Runtime } from '../../runtime/runtime.ts';
import { watchDevice } from './lost-device.ts';

/** A runtime whose second call waits for ever, and a device to lose. */
function onDevice() {
  let lose: (info: { message: string }) => void = () => {};
  const lost = new Promise<{ message: string }>((resolve) => {
    lose = resolve;
  });
  let calls = 0;
  const runtime: Runtime = {
    name: 'fake',
    createSession: async () => ({
      run: () => (calls++ === 0 ? Promise.resolve({}) : new Promise(() => {})),
      release: () => new Promise(() => {}),
    }),
  };
  return { runtime, device: { lost }, lose };
}

it('ends calls that wait for a device that is lost, and refuses others', async () => {
  const { runtime, device, lose } = onDevice();
  const watched = watchDevice(runtime, device);
  const session = await watched.createSession(new Uint8Array());
  expect(await session.run({})).toEqual({});
  const waiting = session.run({});
  lose({ message: 'A driver was updated.' });
  const reason = 'the graphics device was lost (A driver was updated): reload the page';
  await expect(waiting).rejects.toMatchObject({ code: 'runtime', message: reason });
  await expect(session.run({})).rejects.toThrow(reason);
  await expect(watched.createSession(new Uint8Array())).rejects.toThrow(reason);
  await session.release(); // does not wait for the device
});

it('knows the loss by the message of a call, and leaves other errors as they are', async () => {
  const { runtime, device } = onDevice();
  const messages = ['mapAsync: The Device was lost before mapping was resolved', 'out of memory'];
  const failing: Runtime = {
    ...runtime,
    createSession: () => Promise.reject(new Error(messages.shift())),
  };
  const watched = watchDevice(failing, device);
  await expect(watched.createSession(new Uint8Array())).rejects.toThrow(/^the graphics device was/);
  await expect(watched.createSession(new Uint8Array())).rejects.toThrow(/^out of memory$/);
});

it('waits a moment after an error, because the browser may report the loss later', async () => {
  const { runtime, device, lose } = onDevice();
  const failing: Runtime = {
    ...runtime,
    createSession: () => {
      setTimeout(() => lose({ message: 'Device was destroyed.' }), 30);
      return Promise.reject(new Error('Buffer was unmapped before mapping was resolved'));
    },
  };
  await expect(watchDevice(failing, device).createSession(new Uint8Array())).rejects.toThrow(
    'the graphics device was lost (Device was destroyed): reload the page',
  );
});

it('watches nothing if there is no device', () => {
  const { runtime } = onDevice();
  expect(watchDevice(runtime, undefined)).toBe(runtime);
});
