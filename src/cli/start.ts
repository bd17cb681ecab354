import { CommanderError } from 'commander';
import {
  BROKEN_OUTPUT,
  describeError,
  EXIT,
  exitCodeOf,
  joinLines,
  writeMessage,
} from './output.ts';
import { runProgram } from './program.ts';

/**
 * At Ctrl-C or SIGTERM the command stops and keeps the finished results. A second signal ends the
 * process at once.
 */
function listenForSignals(controller: AbortController): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(EXIT.interrupted);
      controller.abort();
    });
  }
}

/**
 * If the reader of stdout goes away (`fovea … | head -1`), the command stops without a message. Any
 * other error of stdout, such as a full disk, is reported.
 */
function listenForBrokenOutput(controller: AbortController): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      const reason = error.code === 'ENOSPC' ? 'the disk is full' : error.message;
      writeMessage(`cannot write to standard output: ${reason}`);
      process.exit(EXIT.someFailed);
    }
    controller.abort(BROKEN_OUTPUT);
  });
  process.stderr.on('error', () => {});
}

/** The message of commander about a command line, as one sentence. */
function usageMessage({ message }: CommanderError): string {
  const text = joinLines(message)
    .replace(/^error: /, '')
    .replace(/\.$/, '')
    .replace(/\. (["A-Z])/g, (_, letter: string) => `: ${letter.toLowerCase()}`);
  return `${text}; see fovea --help`;
}

/** Runs a command line, without the program's name, and returns the exit code. */
export async function start(argv: readonly string[]): Promise<number> {
  const controller = new AbortController();
  listenForSignals(controller);
  listenForBrokenOutput(controller);
  try {
    return await runProgram(argv, controller.signal);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done;
      if (error.code !== 'commander.help') writeMessage(usageMessage(error));
      return EXIT.wrongUsage;
    }
    writeMessage(describeError(error), error);
    return exitCodeOf(error);
  }
}
