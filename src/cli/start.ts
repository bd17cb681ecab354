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
 * Ctrl-C and SIGTERM give up the current result and keep the finished ones. A second one ends the
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
 * A reader that went away (`fovea … | head -1`) ends the work without a message. A full disk behind
 * stdout gets a message.
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

/** What commander says about a command line, as one sentence. */
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
