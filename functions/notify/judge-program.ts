// What follows from how a program of a hook ended, a command or a module that was called. Pure.
import { z } from 'zod';
import { type Judged, shown } from './judge-answer.ts';

/** `output`: the beginning of what it wrote. */
type Ended = {
  readonly kind: 'ended';
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
};
type Failed = { readonly kind: 'failed'; readonly reason: string };

export type CommandAnswer = Ended | Failed;

/** `answered`: what the handler resolved to. `threw`: the error and where it was thrown. `ended`: before the handler was done. */
export type ModuleAnswer =
  | { readonly kind: 'answered'; readonly answer: unknown; readonly output: string }
  | { readonly kind: 'threw'; readonly error: string }
  | CommandAnswer;

type Call = {
  readonly hook: string;
  readonly input: Uint8Array;
  readonly timeoutMs: number;
  /** Of its environment, besides what every program gets. */
  readonly variables: Readonly<Record<string, string>>;
};

/** The ways to run a program of this machine. Each kills it, with what it started, after `timeoutMs`, and never rejects. */
export type Programs = {
  /** `input` is on its standard input. */
  readonly runCommand: (call: Call & { readonly argv: readonly string[] }) => Promise<CommandAnswer>;
  /** Calls `handler` of the file `module` with the event that `input` is the JSON of. */
  readonly callModule: (call: Call & { readonly module: string }) => Promise<ModuleAnswer>;
};

/** Exit code 0 is success; all else is tried again. */
export function judgeCommand(answer: CommandAnswer): Judged {
  if (answer.kind === 'ended' && answer.code === 0)
    return { outcome: 'told', said: shown(answer.output), answered: null };
  return failed(answer.kind === 'ended' ? endOf(answer) : answer.reason);
}

/** Nothing, or no failures, is success for Lambda. */
const batchAnswer = z.object({ batchItemFailures: z.array(z.unknown()).nullish() }).nullish();

/** As Lambda judges the function behind the queue of a MailRule, which may answer `batchItemFailures`. The event has one record. */
export function judgeModule(answer: ModuleAnswer): Judged {
  switch (answer.kind) {
    case 'failed':
      return failed(answer.reason);
    case 'threw':
      return failed(`it threw ${shown(answer.error)}`);
    case 'ended':
      return failed(endOf(answer, ' before its handler was done'));
    case 'answered': {
      const read = batchAnswer.safeParse(answer.answer ?? null);
      if (!read.success) return failed('its answer is neither nothing nor an object as {"batchItemFailures": […]}');
      // An identifier that is wrong fails the whole batch.
      if ((read.data?.batchItemFailures ?? []).length > 0) return failed('it answered that the record failed');
      return { outcome: 'told', said: shown(answer.output), answered: null };
    }
  }
}

function endOf({ code, signal, output }: Ended, before = ''): string {
  const said = shown(output);
  const how = code === null ? `it was ended by ${signal}` : `it ended with exit code ${code}`;
  return `${how}${before}${said === '' ? '' : `: ${said}`}`;
}

function failed(reason: string): Judged {
  return { outcome: 'failed', reason, afterMs: 0 };
}
