/** An option of a command, as data. */
export interface OptionSpec {
  /** As commander writes it: `-o, --out <folder>`. */
  readonly flags: string;
  readonly description: string;
  /** Heading in the help; the heading of the option before if not given. */
  readonly group?: string;
  readonly default?: unknown;
  /** Parses the text; `before` is the value so far, for options that are given several times. */
  readonly parse?: (text: string, before: never) => unknown;
  /** Other spellings that the help does not show: `--method <names>`. */
  readonly aliases?: readonly string[];
  /** If set, several values may follow one flag: further arguments that match this pattern. */
  readonly gathers?: RegExp;
  readonly isRequired?: boolean;
}

/** An argument of a command: `<image...>` for one or more, `[name]` for one or none. */
export interface ArgumentSpec {
  readonly name: string;
  readonly description: string;
}

/**
 * Runs a command and returns its exit code. `args` has the arguments, `flags` the values of the
 * options by their names in camelCase. Each command declares the type of its flags.
 */
type Action<Flags = never> = (
  args: readonly string[],
  flags: Flags,
  signal: AbortSignal,
) => number | Promise<number>;

/** A command as data: its help, its arguments and options, and a function that loads its code. */
export interface CommandSpec {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The first sentences of its help. */
  readonly description: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** Text of the help below the options. */
  readonly examples: string;
  /** Imports the code of the command; called only if the command runs. */
  readonly load: () => Promise<Action>;
}
