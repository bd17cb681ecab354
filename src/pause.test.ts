import { expect, it, vi } from 'vitest';
import { pause } from './pause.ts';

const cancelled = () => new Error('stopped');

it('resolves after the time, and not before', async () => {
  vi.useFakeTimers();
  const resolved = vi.fn();
  const waiting = pause(1000, undefined, cancelled).then(resolved);
  await vi.advanceTimersByTimeAsync(999);
  expect(resolved).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  await waiting;
  expect(resolved).toHaveBeenCalledOnce();
  vi.useRealTimers();
});

it('rejects as soon as the signal fires, and leaves no timer', async () => {
  vi.useFakeTimers();
  const controller = new AbortController();
  const waiting = pause(60_000, controller.signal, cancelled);
  controller.abort();
  await expect(waiting).rejects.toThrow('stopped');
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

it('rejects at once if the signal fired before', async () => {
  await expect(pause(60_000, AbortSignal.abort(), cancelled)).rejects.toThrow('stopped');
});
