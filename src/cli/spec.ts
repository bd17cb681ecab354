/** An option of a command, as data. */
export interface OptionSpec {
  /** As commander writes it: `-o, --out <folder>`. */
  readonly flags: string;
  readonly description: string;
  /** Heading of the help that the option stands under: the last one if there is none. */
  readonly group?: string;
  readonly default?: unknown;
  /** Turns the text into a value; `before` holds the value so far, for options given repeatedly. */
  readonly parse?: (text: string, before: never) => unknown;
  /** Other spellings that the help does not show: `--method <names>`. */
  readonly aliases?: readonly string[];
  /**
   * Several values may follow one flag: the arguments after the first value that match this pattern.
   */
  readonly gathers?: RegExp;
  readonly isRequired?: boolean;
}

/** An argument of a command: `<image...>` for one or more, `[name]` for one or none. */
export interface ArgumentSpec {
  readonly name: string;
  readonly description: string;
}

/**
 * Runs a command and returns its exit code. `args` holds the arguments as they were given, `flags`
 * the values of the options by their names in camelCase; each command states the form it takes.
 */
type Action<Flags = never> = (
  args: readonly string[],
  flags: Flags,
  signal: AbortSignal,
) => number | Promise<number>;

/** A command, as data: its help, what it takes, and how its code is loaded. */
export interface CommandSpec {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The first sentences of its help. */
  readonly description: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** What the help shows below the options. */
  readonly examples: string;
  /** Imports the code of the command, only if it runs. */
  readonly load: () => Promise<Action>;
}
