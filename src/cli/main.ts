#!/usr/bin/env node
import { CommanderError } from 'commander';
import { createProgram, type Invocation } from './command.ts';
import { BROKEN_OUTPUT, describeError, exitCodeOf, writeMessage } from './output.ts';

/**
 * Ctrl-C and SIGTERM let the result in hand go and keep the finished ones; a second one ends at
 * once.
 */
function listenForSignals(controller: AbortController): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort();
    });
  }
}

/**
 * A reader that went away (`fovea … | head -1`) ends the work quietly; a full disk behind stdout
 * is said.
 */
function listenForBrokenOutput(controller: AbortController): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      writeMessage(
        `cannot write to standard output: ${error.code === 'ENOSPC' ? 'the disk is full' : error.message}`,
      );
      process.exit(1);
    }
    controller.abort(BROKEN_OUTPUT);
  });
  process.stderr.on('error', () => {});
}

/** What commander has to say about a command line, as one sentence. */
function usageMessage({ message }: CommanderError): string {
  const text = message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
    .replace(/\. ([A-Z])/g, (_, letter: string) => `: ${letter.toLowerCase()}`);
  return `${text}; see fovea --help`;
}

async function run(argv: readonly string[]): Promise<number> {
  const controller = new AbortController();
  listenForSignals(controller);
  listenForBrokenOutput(controller);
  const invocation: Invocation = { exitCode: 0 };
  const program = createProgram(controller.signal, invocation);
  try {
    await program.parseAsync([...argv]);
    return invocation.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode !== 0 && error.code !== 'commander.help')
        writeMessage(usageMessage(error));
      return error.exitCode === 0 ? 0 : 2;
    }
    writeMessage(describeError(error), error);
    return exitCodeOf(error);
  }
}

process.exitCode = await run(process.argv);
