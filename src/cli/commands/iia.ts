import { dirname } from 'node:path';
import { readText } from '../../datasets/files.ts';
import { parsePicsList } from '../../datasets/pics-list.ts';
import { FoveaError } from '../../errors.ts';
import { requestMethods } from '../options.ts';
import { type FoundItems, listExplanations, type RunFlags } from './explain.ts';

/** The options of `fovea iia`. */
export interface IiaFlags extends RunFlags {
  readonly pics: string;
  /** The folder of the list if not given. */
  readonly images?: string;
  /** The class of each line if not given. */
  readonly target?: string;
  readonly out: string;
}

async function listed({ pics, images, target }: IiaFlags): Promise<FoundItems> {
  const text = await readText(pics, 'the list of pictures');
  const { items, problems } = parsePicsList(text, pics, images ?? dirname(pics), target);
  if (items.length === 0 && problems.length === 0)
    throw new FoveaError('usage', `--pics ${pics} is empty: expected lines of FILE CLASS`);
  return { items, problems, leftOut: 0 };
}

/** `fovea iia`, the command of the paper's repository. Answers the exit code. */
export async function iiaCommand(flags: IiaFlags, signal: AbortSignal): Promise<number> {
  const methods = requestMethods(['iia'], flags.set);
  return listExplanations({
    items: () => listed(flags),
    flags,
    signal,
    methods,
    classNames: true,
    folder: flags.out,
  });
}
