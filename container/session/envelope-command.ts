// How a command is read. What MAIL and RCPT have in common: a path, and the parameters that this session may use.
import { offersLogIn } from '#container/log-in/log-in.ts';
import { readPath } from '#mail/address/path.ts';
import { offeredParameters } from '#mail/smtp/parameters.ts';
import type { SessionState } from './session-state.ts';

/** A command line as its verb, in capitals, and what stands behind it. */
export function splitCommand(text: string): { readonly verb: string; readonly argument: string } {
  const space = text.search(/[ \t]/);
  if (space < 0) return { verb: text.toUpperCase(), argument: '' };
  return { verb: text.slice(0, space).toUpperCase(), argument: text.slice(space + 1).trim() };
}

/** Reads what stands behind `MAIL` or `RCPT`: `FROM:` or `TO:`, a path, and the text of the parameters. */
export function readCommand(argument: string, keyword: 'FROM' | 'TO'): ReturnType<typeof readPath> {
  const start = `${keyword}:`;
  if (!argument.toUpperCase().startsWith(start)) return { problem: `${start}<address> is expected` };
  return readPath(argument.slice(start.length));
}

/** What the offers of parameters depend on. */
export function offerFacts(state: SessionState): Parameters<typeof offeredParameters>[0] {
  const { messageBytes } = state.config.limits;
  return { isTls: state.tls !== null, takesLogIn: offersLogIn(state), messageBytes };
}

/** The names of the parameters that may come: none after HELO. */
export function mayUse(state: SessionState): readonly string[] {
  return state.isEsmtp ? offeredParameters(offerFacts(state)) : [];
}

/** Says whether a command can do without SMTPUTF8. */
export function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}
