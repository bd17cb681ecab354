import { type DatasetReader, datasetReaders } from '../../datasets/index.ts';
import { describeOptions } from '../../option-words.ts';
import { type Fact, factLines, listing, optionLines } from '../describe.ts';
import { createOutput } from '../output.ts';

/** The data set as it is written on a command line. */
const formOf = ({ name, pathless }: DatasetReader): string =>
  `--dataset ${pathless ? name : `${name}:PATH`}`;

const pathOf = ({ pathless, path }: DatasetReader): string =>
  pathless ? 'it needs no path' : `PATH: ${path}`;

/** A kind of data set as `--json` prints it. */
function describe(reader: DatasetReader) {
  const { name, title, path, pathless = false } = reader;
  return { name, title, path, pathless, options: describeOptions(reader) };
}

/** `fovea datasets [name]`: all kinds of data sets, or one with its options. */
export function datasetsCommand(
  [name]: readonly string[],
  flags: { readonly json?: boolean },
): number {
  const output = createOutput(flags);
  if (name !== undefined) {
    const reader = datasetReaders.get(name);
    const facts: Fact[] = [
      ['given as', formOf(reader)],
      ['path', reader.pathless ? 'none' : reader.path],
    ];
    const options = optionLines(reader, '--data NAME=VALUE');
    output.document(describe(reader));
    output.print(`${reader.name}: ${reader.title}\n\n${factLines(facts)}\n\n${options}`);
    return 0;
  }
  output.document([...datasetReaders].map(describe));
  const items = [...datasetReaders].map((reader) => ({
    ...reader,
    facts: [formOf(reader), pathOf(reader)],
  }));
  output.print(`${listing(items)}\n\nOptions of a data set: fovea datasets NAME`);
  return 0;
}
