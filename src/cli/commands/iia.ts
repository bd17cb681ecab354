import { dirname } from 'node:path';
import { readText } from '../../datasets/files.ts';
import { parsePicsList } from '../../datasets/pics-list.ts';
import { FoveaError } from '../../errors.ts';
import { createOutput } from '../output.ts';
import { type FoundItems, type RunFlags, targetsOf } from '../run.ts';
import { listResults } from './explain.ts';

/** The options of `fovea iia`. */
export interface IiaFlags extends RunFlags {
  readonly pics: string;
  /** The folder of the list if not given. */
  readonly images?: string;
}

async function listed(flags: IiaFlags): Promise<FoundItems> {
  const { pics, images = dirname(pics), target } = flags;
  const text = await readText(pics, 'the list of pictures');
  const { items, problems } = parsePicsList(text, pics, images, target?.at(0));
  if (items.length === 0 && problems.length === 0)
    throw new FoveaError('usage', `--pics ${pics} is empty: expected lines of FILE CLASS`);
  const forAll = target && targetsOf(flags);
  return {
    items: items.map((item) => ({ file: item.file, targets: forAll ?? [Number(item.target)] })),
    problems,
  };
}

/** `fovea iia`, the command of the paper's repository. Returns the exit code. */
export async function iiaCommand(
  _args: readonly string[],
  flags: IiaFlags,
  signal: AbortSignal,
): Promise<number> {
  return listResults({
    flags,
    output: createOutput(flags),
    signal,
    methods: ['iia'],
    hasClassNames: true,
    find: () => listed(flags),
  });
}
