import { describe, expect, it } from 'vitest';
import type { FuzzTarget } from './engine.ts';
import { datasets } from './targets/datasets.ts';
import { files } from './targets/files.ts';
import { models } from './targets/models.ts';
import { requests } from './targets/requests.ts';
import { results } from './targets/results.ts';
import { servers } from './targets/servers.ts';

/*
 * Mutated inputs for everything that reads what others wrote. Each must give a result or a sentence
 * (FoveaError) within ten seconds: no raw exception, no fault of Fovea, no memory without bound.
 * Without settings the same inputs run everywhere. To look for new ones:
 *
 *   FUZZ_SECONDS=600 FUZZ_SEED=7 npx vitest run test/fuzz      600 s, shared by all targets
 *   FUZZ_TARGET=npy FUZZ_INPUT=12 FUZZ_SEED=7 npx vitest …     one input again
 *
 * An input that fails is written to fovea-fuzz in the system's folder of temporary files. Mend its
 * kind, and put the input into the tests of what read it.
 */

const { FUZZ_SECONDS, FUZZ_SEED = '1', FUZZ_TARGET, FUZZ_INPUT } = process.env;
const all: readonly FuzzTarget[] = [
  ...models,
  ...files,
  ...datasets,
  ...results,
  ...servers,
  ...requests,
];
const targets = all.filter(({ name }) => FUZZ_TARGET === undefined || name === FUZZ_TARGET);
const seconds = FUZZ_SECONDS === undefined ? undefined : Number(FUZZ_SECONDS) / targets.length;
const only = FUZZ_INPUT === undefined ? undefined : Number(FUZZ_INPUT);

describe('mutated inputs', () => {
  it.each(targets.map((target) => [target.name, target] as const))(
    '%s',
    async (name, target) => {
      const outcome = await target.run({ seed: Number(FUZZ_SEED), seconds, only });
      const { inputs, refused, slowest, failures } = outcome;
      console.log(
        `${name}: ${inputs} inputs, ${refused} refused, slowest ${slowest.ms} ms ` +
          `(${slowest.input})`,
      );
      expect(failures).toEqual([]);
      expect(inputs).toBeGreaterThan(0);
    },
    600_000 + 2000 * (seconds ?? 0),
  );
});
