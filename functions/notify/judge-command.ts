// What follows from how the command of a hook ended. Pure.
import { type Judged, shown } from './judge-answer.ts';

/** `output`: the beginning of what it wrote. */
export type CommandAnswer =
  | { readonly kind: 'ended'; readonly code: number | null; readonly signal: string | null; readonly output: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** Runs a command with `input` on its standard input; kills it, and what it started, after `timeoutMs`. Never rejects. */
export type RunCommand = (command: {
  readonly hook: string;
  readonly argv: readonly string[];
  readonly input: Uint8Array;
  readonly timeoutMs: number;
}) => Promise<CommandAnswer>;

/** Exit code 0 is success; all else is tried again. */
export function judgeCommand(answer: CommandAnswer): Judged {
  if (answer.kind === 'failed') return { outcome: 'failed', reason: answer.reason, afterMs: 0 };
  const { code, signal, output } = answer;
  if (code === 0) return { outcome: 'told' };
  const said = shown(output);
  const how = code === null ? `it was ended by ${signal}` : `it ended with exit code ${code}`;
  return { outcome: 'failed', reason: `${how}${said === '' ? '' : `: ${said}`}`, afterMs: 0 };
}
