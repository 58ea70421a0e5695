// What `waitFor` rejects with if no such message came.

/** `arrived`: the newest messages that are there instead, at most ten, each as `subject (to …)`. */
export type MailTimeout = Error & { readonly name: 'MailTimeout'; readonly arrived: readonly string[] };

/** An error that says what was waited for, and what there is instead. */
export function mailTimeout(wanted: string, timeoutMs: number, arrived: readonly string[]): MailTimeout {
  const others =
    arrived.length === 0 ? 'There is no mail at all.' : `There is:\n${arrived.map((one) => `  - ${one}`).join('\n')}`;
  const error = new Error(`No mail ${wanted} within ${timeoutMs} ms. ${others}`);
  return Object.assign(error, { name: 'MailTimeout' as const, arrived });
}

/** Says whether an error is one of `waitFor` that no such message came. */
export function isMailTimeout(error: unknown): error is MailTimeout {
  return error instanceof Error && error.name === 'MailTimeout';
}
