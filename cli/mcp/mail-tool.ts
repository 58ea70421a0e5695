// What a tool for agents is: its name, what it takes, and what it answers, without a word of the protocol.
import { z } from 'zod';
import { isMessageId } from '#mail/header/message-id.ts';
import type { AskMail } from './ask-mail.ts';
import type { Fenced } from './fence.ts';

/** `isError`: it is not what the agent wanted. `picture`: to be looked at; `data` is base64. */
export type ToolAnswer = Fenced & {
  readonly isError?: boolean;
  readonly picture?: { readonly data: string; readonly mimeType: string };
};

/** Says how far a long call is: `seconds` of `of`. */
export type Progress = (seconds: number, of: number, sentence: string) => void;

/** Whether it changes something, and whether what it deals with is only of this server. */
export type ToolHints = { readonly isReading: boolean; readonly isClosed: boolean };

/** `input` describes itself to the agent. `run` rejects with a CliError where the server refuses, or is not there. */
export type MailTool = {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly input: z.ZodObject;
  readonly hints: ToolHints;
  readonly run: (ask: AskMail, given: unknown, progress: Progress) => Promise<ToolAnswer>;
};

/** A tool that gets what its schema reads. */
export function mailTool<Input extends z.ZodObject>({
  input,
  run,
  ...rest
}: Omit<MailTool, 'input' | 'run' | 'hints'> & {
  readonly input: Input;
  readonly hints?: ToolHints;
  readonly run: (ask: AskMail, given: z.output<Input>, progress: Progress) => Promise<ToolAnswer>;
}): MailTool {
  return {
    hints: { isReading: true, isClosed: false },
    ...rest,
    input,
    run: (ask, given, progress) => run(ask, input.parse(given), progress),
  };
}

/** Parameters that several tools have. */
export const inputs = {
  id: z
    .string()
    .refine((id) => isMessageId(id.toUpperCase()), 'expected the id of a message: 26 letters and digits')
    .describe('The id of the message, as the other tools name it.'),
  mailbox: z
    .string()
    .max(500)
    .optional()
    .describe('Only the copy in this mailbox (local@domain), if it went to several.'),
  offset: z
    .int()
    .nonnegative()
    .default(0)
    .describe('Where to begin, in characters: where the answer before said that it goes on.'),
  limit: z.int().min(1).max(50_000).default(20_000).describe('At most so many characters of it.'),
  after: z.string().max(2_000).optional().describe('The page after: "next" of the answer before.'),
} as const;
