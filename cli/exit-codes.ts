// What a command's exit code tells a script. Help and documentation show this table.

export const exitCodes = {
  done: 0,
  failed: 1,
  wrongUse: 2,
  foundProblems: 3,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** In order; `about`: a short one for the help, the same everywhere. */
export const exitCodeTable: readonly { readonly code: ExitCode; readonly about: string }[] = [
  { code: exitCodes.done, about: 'done' },
  { code: exitCodes.failed, about: 'it did not work, and standard error says why' },
  { code: exitCodes.wrongUse, about: 'the command line was wrong, and nothing was done' },
  { code: exitCodes.foundProblems, about: 'done, and it found problems, which it names' },
];
